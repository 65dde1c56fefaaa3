# Fit R earth to every problem of jobs.R and write the models as one JSON document.
# Called by scripts/parity/reference.py, which writes the tables and jobs.R.
suppressMessages(library(earth))
arguments <- commandArgs(trailingOnly = TRUE)
folder <- arguments[1]

number <- function(x) ifelse(is.finite(x), sprintf("%.17g", x), "null")
vector_of <- function(x) paste0("[", paste(number(x), collapse = ","), "]")

# One term is a list of [column, direction, cut]; direction 2 is linear.
term <- function(names, dirs, cuts) {
  used <- which(dirs != 0)
  factors <- sprintf('["%s",%d,%s]', names[used], dirs[used], number(cuts[used]))
  paste0("[", paste(factors, collapse = ","), "]")
}

fit <- function(name, table, responses, weights, arguments) {
  data <- read.csv(file.path(folder, paste0(table, ".csv")), stringsAsFactors = TRUE)
  x <- data[, setdiff(names(data), c(responses, "w", "w0", "w2")), drop = FALSE]
  y <- as.matrix(data[, responses, drop = FALSE])
  if (!is.null(weights)) arguments$weights <- data[[weights]]
  model <- do.call(earth, c(list(x = x, y = y), arguments))
  terms <- sapply(seq_len(nrow(model$dirs)), function(i) {
    term(colnames(model$dirs), model$dirs[i, ], model$cuts[i, ])
  })
  coefficients <- apply(model$coefficients, 1, vector_of)
  sprintf('"%s":{"terms":[%s],\n"selected":%s,\n"coefficients":[%s],\n"rss":%s,"gcv":%s,"stop":%d}',
          name, paste(terms, collapse = ","), vector_of(model$selected.terms - 1),
          paste(coefficients, collapse = ","), number(model$rss), number(model$gcv),
          model$termcond)
}

# Real tables that come with R and with earth.
if (length(arguments) > 1) {
  data(list = c("ozone1", "etitanic"), package = "earth")
  for (name in c("trees", "ozone1", "etitanic")) {
    write.csv(get(name), file.path(folder, paste0(name, ".csv")), row.names = FALSE, quote = FALSE)
  }
  quit()
}

source(file.path(folder, "jobs.R"))
models <- sapply(jobs, function(job) do.call(fit, job))
cat(sprintf('{"versions":"R %s, earth %s",\n"models":{%s}}\n', getRversion(),
            packageVersion("earth"), paste(models, collapse = ",\n")))
