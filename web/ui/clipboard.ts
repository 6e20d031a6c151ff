/** Whether the text is on the clipboard now. Some pages may not write it: then the caller shows the text to be copied by hand. */
export async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    return false
  }
}
