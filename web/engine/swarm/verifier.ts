import { equal, sha1, type Bytes } from '../bytes.ts'
import type { Source } from './host.ts'
import { Later } from './lazy.ts'
import type { Piece } from './picker.ts'

/** Whether pieces are right. Who sent what is wrong is banned as soon as that is known. */
export class Verifier {
  readonly #blame = new Later(({ Blame }) => new Blame<Source>())

  /** All of the piece is here; hash: the SHA-1 it should have. */
  async right(piece: Piece<Source>, hash: Bytes): Promise<boolean> {
    const right = equal(await sha1(piece.data!), hash)
    const blame = right ? this.#blame.it : await this.#blame.get().catch(() => this.#blame.retry())
    const liars = await (right ? blame?.right(piece) : blame?.wrong(piece))
    for (const liar of new Set(liars)) liar.ban()
    return right
  }
}
