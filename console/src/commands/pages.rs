//! Lists that come in pages: the loop over them, once.

/// Asks page after page until the last one, or until there are `most`; the token of the first page is empty.
pub(crate) async fn collect<T, E>(
    most: usize,
    mut page: impl AsyncFnMut(String) -> Result<(Vec<T>, String), E>,
) -> Result<Vec<T>, E> {
    let mut all = Vec::new();
    let mut token = String::new();
    loop {
        let (items, next) = page(token).await?;
        all.extend(items);
        if next.is_empty() || all.len() >= most {
            all.truncate(most);
            return Ok(all);
        }
        token = next;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    async fn numbers(most: usize) -> (Vec<u32>, usize) {
        let mut asked = 0;
        let page = async |token: String| -> Result<(Vec<u32>, String), ()> {
            asked += 1;
            let from = token.parse().unwrap_or(0);
            let next = if from < 6 {
                (from + 3).to_string()
            } else {
                String::new()
            };
            Ok(((from..from + 3).collect(), next))
        };
        let all = collect(most, page).await.unwrap();
        (all, asked)
    }

    #[tokio::test]
    async fn no_page_is_asked_that_is_not_needed() {
        assert_eq!(numbers(usize::MAX).await, ((0..9).collect(), 3));
        assert_eq!(numbers(4).await, ((0..4).collect(), 2));
        assert_eq!(numbers(3).await, ((0..3).collect(), 1));
    }
}
