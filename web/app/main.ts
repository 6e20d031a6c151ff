/**
 * The one page: its shell (app.ts), its router, its one engine (node.ts), and the sections that stand in it.
 *
 *   an address ─ router.ts ─▶ app.ts asks whose it is ─▶ the section draws it
 *
 * To add a section: write it as ui/section.ts says, and name it in sections.ts.
 */
import './app.ts'
