package main

// version is what --version prints. It is a variable only so that a release
// can set it with -ldflags "-X main.version=…"; nothing writes it at run time.
var version = "0.1.0"
