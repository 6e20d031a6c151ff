/**
 * edge.js: the script that a site includes. Images, posters, audio, video and downloads of the page come from other
 * visitors who have them, and over HTTP whenever that is sooner or safer. docs/edge.md is for the site's owner.
 *
 *   page.ts      finds elements, decides what is in view, sets src       ─ at once
 *   carrier.ts   assets, peers, the cache                                ─ a module of its own, when something is not in view
 *   download.ts  links with download                                 ─ when one is clicked
 *   unmarked.ts  images of markup that was not changed                   ─ with the setting `worker`
 *   media.ts     audio and video through the service worker sw.ts        ─ a module of its own, when a page has any
 *   control.ts   puts sw.ts in charge                                    ─ the same; once there is a picture, if it plays by itself
 *
 * Of the page: sight.ts: what is in view; url.ts: what may be an asset; settings.ts: what the owner set, and who abstains.
 * Of the carrier, which carry.ts makes: asset.ts: one asset, verified ─ cache.ts: kept ─ ranges.ts: by HTTP ─ torrent.ts: by
 * peers; figures.ts: what the owner hears of it; outside.ts: nobody is called within a local network, with --no-local.
 */
import { Page } from './page.ts'

export { takePart } from './settings.ts'

new Page()
