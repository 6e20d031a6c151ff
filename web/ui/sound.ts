/** Whether a file may be a memo, by what is said of it. */
export const isSound = ({ name, type }: { name: string; type: string }): boolean =>
  /^(audio\/|video\/webm)/.test(type) || /\.(webm|m4a|mp3|ogg|oga|opus|wav|flac|aac)$/i.test(name)
