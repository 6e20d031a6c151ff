// Has players seek in a video that still arrives. A service worker must lie on the pages' own origin; this is all of it.
importScripts('http://localhost:8080/starling-sw.js') // your own Starling server
