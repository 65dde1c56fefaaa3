# Time predict() of R earth on the models of a folder; print one line per run.
# Called by scripts/bench_replay.py. The model's terms are put into a fitted model, so that both
# programs evaluate the same ones. The time is user + system seconds of the whole call.
suppressMessages(library(earth))
arguments <- commandArgs(trailingOnly = TRUE)
folder <- arguments[1]
n <- as.integer(arguments[2])
p <- as.integer(arguments[3])
runs <- as.integer(arguments[4])
values <- readBin(file.path(folder, "x"), "double", n = n * p, size = 8, endian = "little")
x <- matrix(values, n, p, dimnames = list(NULL, paste0("x", seq_len(p) - 1)))
cat("model,seconds,wall,checksum\n")
for (name in c("additive", "products")) {
  read <- function(part) as.matrix(read.csv(file.path(folder, paste0(name, ".", part)), header = FALSE))
  dirs <- read("dirs")
  cuts <- read("cuts")
  k <- nrow(dirs)
  few <- x[seq_len(500), ]
  model <- earth(few, rowSums(few), degree = 1, nk = 5)
  labels <- c("(Intercept)", paste0("t", seq_len(k - 1)))
  dimnames(dirs) <- dimnames(cuts) <- list(labels, colnames(x))
  model$dirs <- dirs
  model$cuts <- cuts
  model$selected.terms <- seq_len(k)
  model$coefficients <- matrix(as.numeric(read("coefficients")), k, 1, dimnames = list(labels, "y"))
  for (run in seq_len(runs)) {
    gc()
    time <- system.time(found <- predict(model, x))
    cat(sprintf("%s,%.17g,%.17g,%.17g\n", name, time[["user.self"]] + time[["sys.self"]],
                time[["elapsed"]], sum(found)))
  }
}
cat(sprintf("# R %s, earth %s\n", getRversion(), packageVersion("earth")))
