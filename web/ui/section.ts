/**
 * What the sections of the app share: the contract between a section and the shell, components, tokens.
 *
 * A section says which paths are its own and draws them; the shell (app/) has the one router, the one engine and the
 * one place for toasts, and lends them to the sections. Components draw into the page itself, without shadow roots:
 * app.css holds the styles of all, from the tokens in tokens.css.
 *
 * Where to look:
 *
 *   in words         standing.ts: where a transfer stands, why it stands still, what failed ─ words.ts: sizes, times
 *                    remaining.ts: how long it still takes ─ full.ts: no room, or no storage; reach.ts: offline, or no WebRTC
 *   what comes       fetching.ts; room.ts: does it fit, unasked? sound.ts: whose section it is
 *   what is shared   audience.ts: who has it; link.ts: the link, a QR code ─ clipboard.ts ─ loopback.ts: it leads nowhere else
 *   what is kept     database.ts ─ persist.ts: the browser is asked not to delete it; lasting.ts: it will ─ undo.ts: deleted ─ forgetting.ts: for good
 *   what is saved    save.ts: by the sheet of "Share", from the Home Screen of an iPhone
 *   who learns what  hiding.ts: this device's network address
 *   several tabs     turn.ts: one does the work; others.ts: the others hear of it
 *   a page           vigil.ts: stays open, and the screen on
 *   on the screen    element.ts, repeat.ts, scroll.ts; doubled.ts: the second click of two ─ sheet.ts, toasts.ts, parts.ts,
 *                    icons.ts, mark.ts; wave.ts, flock.ts: a sound, drawn
 *
 * This file is the contract.
 */
import type { Starling } from 'starling'
import type { TemplateResult } from 'lit'
import type { Toast } from './toasts.ts'

/** What the shell lends to sections. */
export interface Host {
  /** The page's one engine, started when it is first asked for. */
  node(): Promise<Starling>
  navigate(path: string, options?: { replace?: boolean }): void
  /** To that path, by going back in the history where the user came from there. */
  back(path: string): void
  toast(toast: Toast): void
  /** What the window is called. */
  title(text: string): void
}

export interface Section {
  id: string
  /** In the navigation. */
  title: string
  icon: TemplateResult
  /** Where the navigation leads. */
  path: string
  /** Whether this section draws that address. */
  owns(url: URL): boolean
  /** Before each view. What it returns resolves when the section can draw, where it loads late. */
  start(host: Host): void | Promise<void>
  /** Once, some time after the page was opened, whichever section is shown: to go on with what was under way. */
  wake?(host: Host): void
  /** What to show at an address it owns; called at every change of the address. */
  view(url: URL): TemplateResult
  /** The address is another section's now. */
  leave(): void
}
