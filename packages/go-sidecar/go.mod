module github.com/edithatogo/mars/packages/go-sidecar

go 1.24

toolchain go1.26.8
