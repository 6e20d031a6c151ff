/** Whether the text is on the clipboard now. Where the browser refuses, the caller lets it be copied by hand. */
export async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    return false
  }
}
