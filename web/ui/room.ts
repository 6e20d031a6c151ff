/** How much fits. */

/** Bytes that the browser would still let this page store; undefined where it does not say. */
export async function room(): Promise<number | undefined> {
  const { quota, usage } = (await navigator.storage?.estimate?.().catch(() => undefined)) ?? {}
  return quota === undefined || usage === undefined ? undefined : Math.max(0, quota - usage)
}

/** Most that is fetched or copied without asking, bytes. */
const most = 1e9

/** Whether so many bytes may be stored without asking first: a part of what is free, and on no dear connection. */
export function modest(size: number, free: number | undefined, saveData = false): boolean {
  return size <= (saveData ? most / 20 : most) && (free === undefined || size <= free / 2)
}

/** The user's wish, where the browser passes it on. */
export const saveData = (): boolean =>
  !!(navigator as Navigator & { connection?: { saveData?: boolean } }).connection?.saveData
