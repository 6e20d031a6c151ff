import { expect, it } from 'vitest'
import { loopback } from './loopback.ts'

it.each(['http://localhost:8080/m#1', 'http://127.0.0.1/', 'http://127.1/', 'https://app.localhost', 'http://[::1]:80/', 'http://localhost./'])(
  '%s leads to whoever opens it',
  (url) => expect(loopback(url)).toBe(true),
)

it.each(['https://localhost.example/', 'http://127.0.0.1.example/', 'http://128.0.0.1/', 'http://[::2]/', 'http://192.168.1.2/', 'https://notlocalhost/'])(
  '%s leads to one machine',
  (url) => expect(loopback(url)).toBe(false),
)
