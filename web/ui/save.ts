/**
 * iOS opens what a page on the Home Screen downloads over that page, and nothing leads back from there: people end the app.
 * So there it is handed over with the sheet of "Share", which has "Save to Files".
 */
import type { Toast } from './toasts.ts'
import { mentioned, quoted } from './words.ts'

/** Bytes: what is shared, WebKit reads into memory, twice. */
const most = 200e6

/** Whether that much is handed over with the sheet. */
export function bySheet(size: number): boolean {
  const { standalone } = navigator as { standalone?: boolean }
  return !!standalone && size <= most && !!navigator.canShare?.({ files: [new File(['-'], 'a.txt', { type: 'text/plain' })] })
}

/** Opens the sheet, or offers it where the browser wants another press: for what took long to get. Resolves when it is closed. */
export async function handOver(file: File, toast: (toast: Toast) => void): Promise<void> {
  try {
    await navigator.share({ files: [file] })
  } catch (error) {
    const { name } = error as Error
    // Closed without a choice, or open already.
    if (name === 'AbortError' || name === 'InvalidStateError') return
    if (name !== 'NotAllowedError') throw error
    const run = () => void handOver(file, toast).catch((error: unknown) => reportError(error))
    toast({ text: `${quoted(mentioned(file.name))} is ready.`, time: Infinity, action: { label: 'Save', run } })
  }
}
