/** What the terminal UI asks for, done by the same pieces as the commands. */
import { MessageChannel } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { MeshwrightError } from '../errors.js';
import { listHardware, loadHardware } from '../hardware/index.js';
import { PRESETS } from '../models/index.js';
import type { SearchProgress, Services, TaskChoice } from '../tui/services.js';
import { createRunServices } from './runs-services.js';
import type { SearchOutcome } from './search-task.js';
import { hardwareVersion, storedHardware } from './stored-hardware.js';
import { train } from './train-services.js';

async function search(
  task: TaskChoice,
  onProgress: (progress: SearchProgress) => void,
  signal: AbortSignal,
): Promise<SearchProgress> {
  const pool = new Piscina({
    filename: new URL('./search-worker.js', import.meta.url).href,
    minThreads: 1,
    maxThreads: 1,
  });
  const { port1, port2 } = new MessageChannel();
  port1.on('message', onProgress);
  try {
    const outcome = (await pool.run({ task, port: port2 }, { transferList: [port2], signal })) as SearchOutcome;
    if ('progress' in outcome) return outcome.progress;
    throw new MeshwrightError(outcome.code, outcome.detail);
  } finally {
    port1.close();
    await pool.destroy();
  }
}

/** A profile to pick, as its newest version has it. */
function hardwareChoice(name: string) {
  const hardwareName = storedHardware(name);
  const { title } = loadHardware(hardwareName);
  const version = hardwareVersion({ hardwareName });
  return { name, about: version === null ? title : `${title} (version ${version.version})` };
}

export function createServices(): Services {
  return {
    models: PRESETS.map(({ config, about }) => ({ name: config.name, about })),
    hardware: listHardware().map(hardwareChoice),
    search,
    train,
    ...createRunServices(),
  };
}
