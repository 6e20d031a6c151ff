export function declarations(): Promise<string>
