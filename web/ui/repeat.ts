import { noChange, type ChildPart } from 'lit'
import { directive, type PartInfo } from 'lit/directive.js'
import { getCommittedValue, getDirectiveClass } from 'lit/directive-helpers.js'
import { repeat as lits, type ItemTemplate, type KeyFn, type RepeatDirective } from 'lit/directives/repeat.js'

const Lits = getDirectiveClass(lits([], String)) as new (info: PartInfo) => RepeatDirective

/** lit's, which leaves a comment in the page for each item that goes (lit/lit#5298): a list that is scrolled has ever more. */
class Repeat extends Lits {
  override update<T>(part: ChildPart, args: [Iterable<T>, KeyFn<T> | ItemTemplate<T>, ItemTemplate<T>]) {
    const drawn = super.update(part, args)
    // What is drawn for the first time comes to the page only now.
    if (drawn === noChange) tidy(part, getCommittedValue(part) as ChildPart[])
    return drawn
  }
}

function tidy({ startNode, endNode }: ChildPart, items: readonly ChildPart[]): void {
  let at = startNode!.nextSibling
  const to = (end: Node | null) => {
    while (at && at !== end) {
      const next: ChildNode | null = at.nextSibling
      if (at instanceof Comment) at.remove()
      at = next
    }
  }
  for (const item of items) {
    to(item.startNode)
    at = item.endNode!.nextSibling
  }
  to(endNode)
}

export const repeat = directive(Repeat) as typeof lits
