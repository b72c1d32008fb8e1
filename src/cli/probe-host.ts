/** The module of a process that tells whether one kernel family can be had; it loads little else. */
import { probeFamily, serveChild } from '../runtime/index.js';
import type { Probe } from './child-requests.js';

serveChild<{ probe: Probe }>({ probe: async ({ family, threads }) => probeFamily(family, threads) });
