/** A browser that is already on the machine: none is downloaded. */
import { existsSync } from 'node:fs';

const USUAL = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

/** Of `CHROMIUM`, or where it usually is; undefined where there is none. */
export const chromiumPath = (): string | undefined =>
  [process.env.CHROMIUM ?? '', ...USUAL].find((path) => path !== '' && existsSync(path));
