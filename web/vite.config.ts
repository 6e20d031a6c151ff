// `make dev`: the pages with live reload on :5173; the Go server on :8080 answers the rest.
import { defineConfig } from 'vite'
import { fileURLToPath } from 'node:url'

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const pages = /^\/((memos|files)(\/[\w-]+)?|about|m|f|share)$/
const modules: Record<string, string> = {
  '/starling.js': '/@fs' + at('./engine/index.ts'),
  '/starling-store.js': '/@fs' + at('./engine/store/worker.ts'),
  '/sw.js': '/@fs' + at('./sw/index.ts'),
}

export default defineConfig({
  root: at('./app'),
  resolve: { alias: { starling: at('./engine/index.ts') } },
  define: { __PRECACHE__: '[]', __VERSION__: '"dev"', __ENGINE__: '[]' },
  server: {
    fs: { allow: [at('..')] },
    proxy: {
      '/announce': { target: 'ws://127.0.0.1:8080', ws: true },
      '/api': 'http://127.0.0.1:8080',
      '/stats': 'http://127.0.0.1:8080',
    },
  },
  plugins: [
    {
      name: 'stable-names',
      configureServer(server) {
        server.middlewares.use((req, _res, next) => {
          const path = req.url?.split('?')[0] ?? ''
          // Resolved against the module that starts it, which in development is a source file.
          if (path.endsWith('/starling-store.js')) req.url = modules['/starling-store.js']
          else if (modules[path]) req.url = modules[path]
          else if (pages.test(path)) req.url = '/'
          next()
        })
      },
    },
  ],
})
