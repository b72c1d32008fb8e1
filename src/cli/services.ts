/** What the terminal UI asks for, done by the same pieces as the commands. */
import { listHardware, loadHardware } from '../hardware/index.js';
import { PRESETS, tokensPerExample } from '../models/index.js';
import type { HardwareChoice, Services } from '../tui/services.js';
import { createPlanServices } from './plan-services.js';
import { createRunServices } from './runs-services.js';
import { hardwareVersion, storedHardware } from './stored-hardware.js';
import { train } from './train-services.js';

/** A profile to pick, as its newest version has it. */
function hardwareChoice(name: string): HardwareChoice {
  const hardwareName = storedHardware(name);
  const { title, chip, topology, defaultDtype } = loadHardware(hardwareName);
  const version = hardwareVersion({ hardwareName });
  const peak = chip.matmul[defaultDtype]?.peak;
  return {
    name,
    about: version === null ? title : `${title} (version ${version.version})`,
    memoryBytesPerChip: chip.memoryCapacity,
    ...(peak === undefined ? {} : { peakFlopsPerSecondPerChip: peak }),
    ...('chipsPerNode' in topology ? { chipsPerNode: topology.chipsPerNode } : {}),
  };
}

export function createServices(): Services {
  return {
    models: PRESETS.map(({ config, about }) => ({
      name: config.name,
      about,
      tokensPerExample: tokensPerExample(config),
    })),
    hardware: listHardware().map(hardwareChoice),
    ...createPlanServices(),
    train,
    ...createRunServices(),
  };
}
