# Write what R says of generalised linear models on MARS terms to tests/parity/glm_reference.json:
#
#   Rscript scripts/parity/glm.R tests/parity/glm_reference.json
#
# Each case holds the data, the settings, R earth's terms (dirs and cuts, in order of growth) and the
# coefficients and deviances that glm() finds on them. The multinomial has no counterpart in earth,
# which fits one binomial per class; its reference is the Poisson model with one parameter per row,
# whose likelihood is the same (Baker 1994).

suppressMessages(library(earth))

here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)))
source(file.path(here, "json.R"))

strict <- glm.control(epsilon = 1e-14, maxit = 200)

case <- function(name, x, y, family, link = NULL, weights = NULL, degree = 1, nprune = 6) {
  named <- switch(family, binomial = binomial, poisson = poisson, gamma = Gamma)
  glm <- list(family = if (is.null(link)) named() else named(link = link), control = strict)
  if (is.null(weights)) weights <- rep(1, nrow(x))
  model <- earth(x, y, weights = weights, degree = degree, penalty = 3, nprune = nprune, glm = glm)
  order <- order(model$selected.terms)
  terms <- model$selected.terms[order]
  list(name = name, family = family, link = model$glm.list[[1]]$family$link,
       degree = degree, nprune = nprune, x = x, y = as.matrix(y), weights = weights,
       dirs = model$dirs[terms, , drop = FALSE], cuts = model$cuts[terms, , drop = FALSE],
       coefficients = model$glm.coefficients[order, , drop = FALSE],
       deviance = I(unname(sapply(model$glm.list, function(g) g$deviance))),
       null_deviance = I(unname(sapply(model$glm.list, function(g) g$null.deviance))),
       gcv = model$gcv)
}

multinomial <- function(name, x, label, nprune = 4) {
  y <- 1 * outer(label, sort(unique(label)), "==")
  model <- earth(x, y, penalty = 3, nprune = nprune)
  order <- order(model$selected.terms)
  terms <- model$selected.terms[order]
  b <- model$bx[, order, drop = FALSE]
  n <- nrow(x); k <- ncol(y); m <- ncol(b)
  # Rows of class 1, 2, ... one below the other: a parameter per row, and terms per class but one.
  design <- cbind(diag(n)[rep(seq_len(n), k), ], kronecker(diag(k)[, -1], b))
  fit <- glm.fit(design, as.vector(y), family = poisson(), control = strict)
  found <- cbind(0, matrix(fit$coefficients[-seq_len(n)], m))
  eta <- b %*% found
  p <- exp(eta) / rowSums(exp(eta))
  share <- matrix(colMeans(y), n, k, byrow = TRUE)
  list(name = name, family = "multinomial", link = "softmax", degree = 1, nprune = nprune,
       x = x, y = y, weights = rep(1, n),
       dirs = model$dirs[terms, , drop = FALSE], cuts = model$cuts[terms, , drop = FALSE],
       coefficients = found, deviance = I(-2 * sum(log(p[y == 1]))),
       null_deviance = I(-2 * sum(log(share[y == 1]))), gcv = model$gcv)
}

inputs <- function(seed, n, p) {
  set.seed(seed)
  matrix(round(runif(n * p), 4), n)
}

cases <- list()
x <- inputs(1, 240, 3)
eta <- 4 * abs(x[, 1] - .5) - 2 * x[, 2] + .5
odds <- 1 / (1 + exp(-eta))
yes <- as.numeric(runif(240) < odds)
weights <- round(runif(240, .5, 3), 2)
cases[[1]] <- case("logit", x, yes, "binomial")
cases[[2]] <- case("logit with weights, degree 2", x, yes, "binomial", weights = weights, degree = 2)
cases[[3]] <- case("cloglog", x, yes, "binomial", link = "cloglog")
x <- inputs(2, 240, 3)
rate <- exp(1.5 * pmax(0, x[, 1] - .4) + x[, 2] * x[, 3])
count <- rpois(240, rate)
cases[[4]] <- case("poisson, degree 2", x, count, "poisson", degree = 2)
cases[[5]] <- case("poisson with weights", x, count, "poisson", weights = weights)
x <- inputs(3, 240, 3)
amount <- round(rgamma(240, shape = 4, rate = 4 * (.5 + abs(x[, 1] - .6) + .3 * x[, 2])), 6) + 1e-6
cases[[6]] <- case("gamma, inverse", x, amount, "gamma", link = "inverse", nprune = 4)
cases[[7]] <- case("gamma, log", x, amount, "gamma", link = "log")
x <- inputs(4, 150, 3)
label <- 1 + (x[, 1] + .6 * runif(150) > .8) + (x[, 2] + .6 * runif(150) > .9)
cases[[8]] <- case("one logit per class", x, 1 * outer(label, 1:3, "=="), "binomial", nprune = 4)
cases[[9]] <- multinomial("multinomial", x, label)
data(etitanic)
x <- model.matrix(survived ~ ., etitanic)[, -1]
colnames(x) <- NULL
cases[[10]] <- case("etitanic", x, etitanic$survived, "binomial", nprune = 12)
cases[[11]] <- case("etitanic, degree 2", x, etitanic$survived, "binomial", degree = 2, nprune = 8)

lines <- vapply(cases, json, "")
text <- paste0("{\"written_by\": \"Rscript scripts/parity/glm.R\", \"earth\": \"",
               packageVersion("earth"), "\", \"cases\": [\n", paste(lines, collapse = ",\n"), "\n]}")
writeLines(text, commandArgs(TRUE)[[1]])
