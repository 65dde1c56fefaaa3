# Fit R earth with its defaults, with nk = 101, and with the full search, on the problems of a folder.
# Called by scripts/parity/default_rule.py; prints held-out R squared (mean over responses).
suppressMessages(library(earth))
folder <- commandArgs(trailingOnly = TRUE)[1]
jobs <- read.csv(file.path(folder, "jobs.csv"))
read_matrix <- function(name, rows, columns) {
  path <- file.path(folder, name)
  matrix(readBin(path, "double", n = rows * columns, size = 8, endian = "little"), rows, columns)
}
cat("job,setting,rsq,terms,seconds\n")
for (i in seq_len(nrow(jobs))) {
  job <- jobs[i, ]
  x <- read_matrix(job$x, job$n, job$p)
  y <- read_matrix(job$y, job$n, job$k)
  unseen <- read_matrix(job$unseen, job$m, job$p)
  truth <- read_matrix(job$truth, job$m, job$k)
  weights <- if (job$weights == "") NULL else read_matrix(job$weights, job$n, 1)[, 1]
  settings <- list(defaults = list(), nk101 = list(nk = 101),
                   full = list(nk = 101, thresh = 0, fast.k = 0))
  for (setting in names(settings)) {
    arguments <- c(list(x = x, y = y, degree = job$degree, weights = weights), settings[[setting]])
    time <- system.time(model <- do.call(earth, arguments))
    error <- colSums((truth - predict(model, unseen))^2)
    spread <- colSums(sweep(truth, 2, colMeans(truth))^2)
    cat(sprintf("%d,%s,%.17g,%d,%.6g\n", job$job, setting, mean(1 - error / spread),
                length(model$selected.terms), time[["user.self"]] + time[["sys.self"]]))
  }
}
cat(sprintf("# R %s, earth %s\n", getRversion(), packageVersion("earth")))
