/** Why there is no microphone, and what mends it in this browser; and which microphones there are. */
export interface Trouble {
  title: string
  /** What to do, in order. */
  steps: string[]
}

export interface Surroundings {
  userAgent: string
  secure: boolean
  /** The screen takes fingers: an iPad calls itself a Macintosh. */
  touch: boolean
  /** It runs as an app from the Home Screen. */
  installed: boolean
}

/** Of the page that asks now. */
export const surroundings = (): Surroundings => ({
  userAgent: navigator.userAgent,
  secure: isSecureContext,
  touch: navigator.maxTouchPoints > 1,
  installed: matchMedia('(display-mode: standalone)').matches,
})

export function explain(error: unknown, around: Surroundings): Trouble {
  if (!around.secure) {
    return {
      title: 'This page may not use the microphone',
      steps: [
        'Browsers lend the microphone only to pages opened over https:// or on localhost.',
        'Open the secure address of this page, or ask whoever runs the server to turn on HTTPS.',
      ],
    }
  }
  const again = 'Then press Record again.'
  switch (error instanceof Error ? error.name : '') {
    case 'NotAllowedError':
    case 'SecurityError':
      return { title: 'The microphone is not allowed', steps: [...allow(around), again] }
    case 'NotFoundError':
    case 'OverconstrainedError':
      return {
        title: 'No microphone was found',
        steps: [
          'Plug one in, or switch on your headset.',
          'If it is plugged in, look whether the system’s sound settings list it as an input.',
          again,
        ],
      }
    case 'NotReadableError':
    case 'AbortError':
      return {
        title: 'The microphone does not answer',
        steps: [
          'Another program or tab may be using it: end calls and other recordings.',
          'Unplug it and plug it in again.',
          again,
        ],
      }
    case 'NotSupportedError':
    case 'TypeError':
    case 'ReferenceError':
      return {
        title: 'This browser cannot record',
        steps: ['Use a current Chrome, Edge, Firefox or Safari (16.4 or later).'],
      }
    default:
      return { title: 'The microphone could not be started', steps: ['Reload this page.', again] }
  }
}

function allow({ userAgent, touch, installed }: Surroundings): string[] {
  const ios = /iPhone|iPad|iPod/.test(userAgent) || (touch && /Macintosh/.test(userAgent))
  if (ios && installed) {
    return [
      'Close Starling in the app switcher and open it again from the Home Screen: then it asks once more.',
      'If it does not: Settings, Apps, Safari, Microphone.',
    ]
  }
  // Chat apps show links in a window of their own. On Android it says so; on an iPhone it is none of the browsers.
  if (ios ? !/Safari\//.test(userAgent) : /; wv\)/.test(userAgent)) {
    return [
      'This page is shown inside another app, and few of these let a page use the microphone.',
      'Open it in your browser: the menu of this window offers that, or copy the address.',
    ]
  }
  if (ios) {
    const app = /CriOS/.test(userAgent) ? 'Chrome' : /FxiOS/.test(userAgent) ? 'Firefox' : 'Safari'
    return app === 'Safari'
      ? [
          'Tap the page menu in the address bar, then Website Settings, and set Microphone to Allow.',
          `If it is not there: Settings, Apps, Safari, Microphone.`,
        ]
      : [`Open Settings, Apps, ${app}, and switch Microphone on.`, 'Reload this page.']
  }
  if (/Android/.test(userAgent)) {
    return [
      'Tap the icon left of the address, then Permissions, and allow the microphone.',
      'If it is not there: Settings, Apps, your browser, Permissions, Microphone.',
    ]
  }
  if (/Firefox\//.test(userAgent)) {
    return [
      'Click the crossed-out microphone left of the address and remove the block.',
      'If the system asks, let Firefox use the microphone.',
    ]
  }
  if (/Safari\//.test(userAgent) && !/Chrom/.test(userAgent)) {
    return [
      'Choose Safari, Settings for This Website, and set Microphone to Allow.',
      'If it is allowed there: System Settings, Privacy & Security, Microphone, and switch Safari on.',
    ]
  }
  return [
    'Click the icon left of the address and switch Microphone on.',
    'If it is on: look in the system’s privacy settings whether the browser may use the microphone.',
  ]
}

export interface Microphone {
  id: string
  label: string
}

/** Those found last: shown until it is known what there is now, so that nothing jumps. */
export let lastMicrophones: Microphone[] = []

/** Before the microphone was ever allowed, browsers tell neither ids nor names: then the list is empty. */
export async function microphones(): Promise<Microphone[]> {
  const devices = (await navigator.mediaDevices?.enumerateDevices?.().catch(() => [])) ?? []
  lastMicrophones = devices
    .filter((device) => device.kind === 'audioinput' && device.deviceId && device.label)
    .map(({ deviceId, label }) => ({ id: deviceId, label }))
  return lastMicrophones
}

const key = 'microphone'

/** The user's choice; '' leaves it to the browser. */
export function chosenMicrophone(): string {
  try {
    return localStorage.getItem(key) ?? ''
  } catch {
    return ''
  }
}

export function chooseMicrophone(id: string): void {
  try {
    localStorage.setItem(key, id)
  } catch {
    // A browser that keeps nothing for the page leaves the choice to itself.
  }
}
