module github.com/indrik/indrik

go 1.26
