/** Set by the build. */
declare const __VERSION__: string
declare const __ENGINE__: string[]
