#![allow(clippy::unwrap_used)]

use super::*;

fn args(arguments: &[&str]) -> Result<Args, clap::Error> {
    Args::try_parse_from(["tidegate-agent"].iter().chain(arguments))
}

#[test]
fn times_have_units() {
    for (text, seconds) in [("300", 300), ("300s", 300), ("5m", 300), ("2h", 7_200), ("0", 0)] {
        assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
    }
    for text in [
        "",
        "m",
        "5ms",
        "5d",
        "-1",
        "1.5m",
        "99999999999999999999",
        "18446744073709551615h",
    ] {
        assert!(duration(text).is_err(), "{text}");
    }
}

#[test]
fn a_control_plane_has_a_host() {
    assert_eq!(
        control_plane("flags.internal:7420").unwrap().to_string(),
        "http://flags.internal:7420/"
    );
    for text in ["", "http://", "ftp://a", "http://a b", "/path"] {
        assert!(control_plane(text).is_err(), "{text}");
    }
}

#[test]
fn a_control_plane_without_a_port_is_on_its_usual_one() {
    for (text, address) in [
        ("flags.internal", "http://flags.internal:7420/"),
        ("http://flags.internal", "http://flags.internal:7420/"),
        ("http://[::1]", "http://[::1]:7420/"),
        ("http://flags.internal:80", "http://flags.internal:80/"),
    ] {
        assert_eq!(control_plane(text).unwrap().to_string(), address);
    }
}

#[test]
fn the_socket_is_where_it_is_told_or_where_the_system_keeps_them() {
    let data = Path::new("/data");
    let socket = |arguments: &[&str]| args(arguments).unwrap().socket(Some(data));
    assert_eq!(
        socket(&["--socket", "/x.sock", "--runtime-folder", "/run/user/1"]),
        Some("/x.sock".into())
    );
    assert_eq!(socket(&["--socket", "none", "--runtime-folder", "/run/user/1"]), None);
    assert_eq!(
        socket(&["--runtime-folder", "/run/user/1"]),
        Some("/run/user/1/tidegate/agent.sock".into())
    );
    assert_eq!(socket(&["--runtime-folder", ""]), Some("/data/agent.sock".into()));
}

#[test]
fn wrong_arguments_are_refused_by_name() {
    for (arguments, named) in [
        (["--environment", "a b"], "--environment"),
        (["--flag-set", "a b"], "--flag-set"),
        (["--listen", "8013"], "--listen"),
        (["--id", ""], "--id"),
        (["--log-format", "xml"], "--log-format"),
    ] {
        let message = args(&arguments).unwrap_err().to_string();
        assert!(message.contains(named), "{message}");
    }
}

#[test]
fn sizes_have_units() {
    for (text, bytes) in [("1", 1), ("64KiB", 65_536), ("256MiB", 268_435_456), ("1GiB", 1 << 30)] {
        assert_eq!(size(text), Ok(bytes), "{text}");
    }
    for text in ["", "MiB", "0", "-1", "1MB", "1.5GiB", "2GiB", "99999999999999GiB"] {
        assert!(size(text).is_err(), "{text}");
    }
}

#[test]
fn a_bootstrap_file_that_is_set_to_nothing_is_none() {
    assert_eq!(args(&["--bootstrap", ""]).unwrap().bootstrap(), None);
    assert_eq!(
        args(&["--bootstrap", "/x/snapshot"]).unwrap().bootstrap(),
        Some(Path::new("/x/snapshot"))
    );
}

#[test]
fn a_few_threads_are_enough_unless_told() {
    assert!((1..=MOST_THREADS).contains(&args(&[]).unwrap().threads()));
    assert_eq!(args(&["--threads", "9"]).unwrap().threads(), 9);
    assert!(args(&["--threads", "0"]).is_err());
}

#[test]
fn ofrep_has_a_port_of_its_own_unless_it_is_turned_off() {
    let default = args(&[]).unwrap();
    assert_eq!(default.ofrep.unwrap().port(), 8_016);
    assert_eq!(default.ofrep_origin, Origins::None, "no web page may ask unless told");
    assert_eq!(args(&["--ofrep", "none"]).unwrap().ofrep, None);
    let told = args(&["--ofrep", "0.0.0.0:80", "--ofrep-origin", "*"]).unwrap();
    assert_eq!(told.ofrep.unwrap().port(), 80);
    assert_eq!(told.ofrep_origin, Origins::Any);
    for (name, wrong) in [
        ("--ofrep", "8016"),
        ("--ofrep", ""),
        ("--ofrep-origin", "app.example.com"),
    ] {
        let message = args(&[name, wrong]).unwrap_err().to_string();
        assert!(message.contains(name) && message.contains("give it as"), "{message}");
    }
}

#[test]
fn otlp_has_a_port_of_its_own_only_if_it_is_asked_for() {
    assert_eq!(args(&[]).unwrap().otlp, None, "a collector may sit there");
    assert_eq!(args(&["--otlp", "127.0.0.1:4317"]).unwrap().otlp.unwrap().port(), 4_317);
    let message = args(&["--otlp", "4317"]).unwrap_err().to_string();
    assert!(message.contains("give it as 127.0.0.1:4317, or none"), "{message}");
}

#[test]
fn what_a_control_plane_has_too_is_named_apart_in_the_environment() {
    use clap::CommandFactory as _;
    let command = Args::command();
    let variable = |id: &str| {
        let argument = command
            .get_arguments()
            .find(|argument| argument.get_id() == id)
            .unwrap();
        argument.get_env().unwrap().to_str().unwrap().to_owned()
    };
    let own = ["data", "listen", "ops"].map(variable);
    assert_eq!(
        own,
        ["TIDEGATE_AGENT_DATA", "TIDEGATE_AGENT_LISTEN", "TIDEGATE_AGENT_OPS"]
    );
}

#[test]
fn the_spool_is_in_the_data_folder_unless_told_otherwise() {
    let data = Path::new("/data");
    let spool = |arguments: &[&str], data| args(arguments).unwrap().spool(data);
    assert_eq!(spool(&[], Some(data)), Some(PathBuf::from("/data/spool")));
    assert_eq!(spool(&["--spool", ""], Some(data)), Some(PathBuf::from("/data/spool")));
    assert_eq!(spool(&["--spool", "none"], Some(data)), None);
    assert_eq!(
        spool(&["--spool", "/fast/spool"], Some(data)),
        Some(PathBuf::from("/fast/spool"))
    );
    // A diskless agent has no data folder.
    assert_eq!(spool(&["--diskless"], None), None);
    assert_eq!(spool(&["--diskless", "--spool", "/x"], None), Some(PathBuf::from("/x")));
}

#[test]
fn a_spool_has_room_for_a_frame() {
    assert_eq!(args(&[]).unwrap().spool_size, 64 << 20);
    assert_eq!(args(&["--spool-size", "1MiB"]).unwrap().spool_size, 1 << 20);
    for text in ["", "0", "1023KiB", "2GiB", "many"] {
        assert!(args(&["--spool-size", text]).is_err(), "{text}");
    }
}
