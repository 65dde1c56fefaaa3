# Write R earth's subsets of every size, by each pruning method, to tests/parity/pruning_reference.json:
#
#   Rscript scripts/parity/pruning.R tests/parity/pruning_reference.json
#
# The terms are linear (linpreds) on correlated columns, so that the forward pass leaves no choice and
# the methods disagree. For cross-validation the folds are R's own.

suppressMessages(library(earth))

here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)))
source(file.path(here, "json.R"))

case <- function(seed, n = 90, p = 12) {
  set.seed(seed)
  hidden <- matrix(rnorm(n * 4), n)
  x <- round(hidden %*% matrix(rnorm(4 * p), 4) + .7 * matrix(rnorm(n * p), n), 3)
  y <- round(hidden[, 1] - 2 * hidden[, 2] + .5 * x[, 3] + rnorm(n), 3)
  fit <- function(...) earth(x, y, linpreds = TRUE, thresh = 0, nk = 51, penalty = 2, ...)
  methods <- lapply(c("backward", "forward", "seqrep", "exhaustive"), function(pmethod) {
    whole <- fit(pmethod = pmethod)
    bound <- fit(pmethod = pmethod, nprune = 5)
    list(pmethod = pmethod, rss = whole$rss.per.subset, gcv = whole$gcv, bound_gcv = bound$gcv)
  })
  crossed <- fit(nfold = 5, ncross = 2, keepxy = TRUE)
  table <- crossed$cv.oof.rsq.tab
  folds <- nrow(table) - 1
  list(seed = seed, x = x, y = y, methods = methods,
       groups = matrix(crossed$cv.groups[, 2], 2, byrow = TRUE),
       rsq = table[seq_len(folds), ], mean_rsq = table[folds + 1, ],
       by_gcv = crossed$cv.nterms.selected.by.gcv[seq_len(folds)])
}

lines <- vapply(lapply(1:3, case), json, "")
text <- paste0("{\"written_by\": \"Rscript scripts/parity/pruning.R\", \"earth\": \"",
               packageVersion("earth"), "\", \"cases\": [\n", paste(lines, collapse = ",\n"), "\n]}")
writeLines(text, commandArgs(TRUE)[[1]])
