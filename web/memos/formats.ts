/** What MediaRecorder is asked for, best first: what plays everywhere, then what records everywhere. */
const ladder = [
  'audio/mp4;codecs=mp4a.40.2',
  'audio/webm;codecs=opus',
  'audio/mp4',
  'audio/ogg;codecs=opus',
  'audio/webm',
  'audio/ogg',
]

/** The first type the browser records; undefined leaves the choice to it. */
export function recordingType(supported: (type: string) => boolean): string | undefined {
  return ladder.find(supported)
}
