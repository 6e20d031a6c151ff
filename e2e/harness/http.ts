import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

/** An HTTP server on a free port of this machine: a site of somebody else's. */
export class Http {
  readonly #server: Server

  private constructor(server: Server) {
    this.#server = server
  }

  static async start(answer: RequestListener): Promise<Http> {
    const server = createServer(answer)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return new Http(server)
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** http://127.0.0.1:port, without a slash at its end. */
  get origin(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** Cuts off who is connected. May be called twice. */
  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    this.#server.closeAllConnections()
    await closed
  }
}
