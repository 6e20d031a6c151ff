/**
 * What is on a page, by its role and the name that those who cannot see are told. Chromium itself is asked (aria/).
 * Firefox makes a tree of the whole page for each answer, takes a second for it where the page moves, and is slow from
 * then on: there the page is looked through here, as accname-1.2 has it for what our pages are made of.
 */
import { Puppeteer, type Page } from 'puppeteer-core'

Puppeteer.registerCustomQueryHandler('named', { queryOne: find })

/** A selector for page.$, locator and the like. */
export function named(page: Page, name: string, role: string): string {
  const firefox = page.browser().process()?.spawnfile.includes('firefox')
  return firefox ? `named/${role}/${name}` : `aria/${name}[role="${role}"]`
}

/** Runs in the page, alone. wanted: role/name. */
export function find(root: Node, wanted: string): Element | null {
  const slash = wanted.indexOf('/')
  const role = wanted.slice(0, slash)
  const own: Record<string, string> = {
    button: 'button, summary, input[type=submit]',
    link: 'a[href]',
    textbox: 'textarea, input:not([type]), input:is([type=text], [type=url])',
    searchbox: 'input[type=search]',
    checkbox: 'input[type=checkbox]',
    slider: 'input[type=range]',
  }
  const words = (text: string | null | undefined) => (text ?? '').replace(/\s+/g, ' ').trim()
  const nameOf = (element: Element): string => {
    const labels = element.getAttribute('aria-labelledby')?.split(' ').map((id) => document.getElementById(id))
      ?? [...((element as HTMLInputElement).labels ?? [])]
    const field = element.matches('input, textarea, select')
    return words(element.getAttribute('aria-label')) || words(labels.map((label) => label?.textContent).join(' ')) ||
      (field ? '' : words(element.textContent)) || words(element.getAttribute('title')) ||
      words(element.getAttribute('placeholder'))
  }
  const hidden = '[aria-hidden=true], [inert]'
  const modal = document.querySelector('dialog:modal')
  const candidates = (root as ParentNode).querySelectorAll(`[role="${role}"], ${own[role] ?? ':not(*)'}`)
  for (const element of candidates) {
    if ((element.getAttribute('role') ?? role) !== role || nameOf(element) !== wanted.slice(slash + 1)) continue
    if (element.closest(hidden) || (modal && !modal.contains(element))) continue
    if (element.checkVisibility({ visibilityProperty: true })) return element
  }
  return null
}
