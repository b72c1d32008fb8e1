/** How a search has its code compiled. */
import { setFlagsFromString } from 'node:v8';

/**
 * Bytes of bytecode that a function runs through before the optimizing compiler takes it up, of the whole process. V8's own
 * 132 KiB are for servers: of a search of some seconds on all cores the compiler then takes a third of the processor's
 * time, for functions that are hardly called again.
 */
const BUDGET = 1_000_000;

export function compileWhatIsHot(): void {
  setFlagsFromString(`--interrupt-budget=${BUDGET}`);
}
