# Sourced by the scripts beside it.

# Values as JSON, every double so that it reads back bit for bit; NA becomes null.
json <- function(value) {
  if (is.null(value)) return("null")
  if (is.matrix(value)) value <- lapply(seq_len(nrow(value)), function(i) I(unname(value[i, ])))
  if (is.list(value)) {
    items <- vapply(value, json, "")
    if (is.null(names(value))) return(paste0("[", paste(items, collapse = ", "), "]"))
    return(paste0("{", paste0("\"", names(value), "\": ", items, collapse = ", "), "}"))
  }
  text <- if (is.character(value)) paste0("\"", value, "\"")
          else ifelse(is.na(value), "null", sprintf("%.17g", value))
  if (length(text) == 1 && !inherits(value, "AsIs")) text
  else paste0("[", paste(text, collapse = ", "), "]")
}
