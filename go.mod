module github.com/starling-p2p/starling

go 1.26.0
