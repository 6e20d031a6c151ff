/** Milliseconds, of a clock that nobody sets: for waits. What is kept, or told to others, has the time of day. */
export const clock = (): number => performance.now()
