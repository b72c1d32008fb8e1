/** The command `plan` from its bundle, which `npm run build` makes of `planning.ts`. */
import type * as planning from './planning.js';

const BUNDLE = new URL('./planning.bundle.js', import.meta.url).href;

export const loadPlanning = (): Promise<typeof planning> => import(BUNDLE) as Promise<typeof planning>;
