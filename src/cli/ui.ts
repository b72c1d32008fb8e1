/** The UI with its services: the entry of the bundle that `bundled-ui.ts` opens. Nothing here loads what only work needs. */
import { runTui } from '../tui/run.js';
import { createServices } from './services.js';

/** Opens the UI and runs it until it is left. @throws MeshwrightError USAGE where there is no terminal */
export const openUi = (): Promise<void> =>
  runTui(createServices(), { initial: { model: 'vit-tiny', hardware: 'local', chips: 2, batch: 32 } });
