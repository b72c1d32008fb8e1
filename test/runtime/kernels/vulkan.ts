/** For suites on WebGPU: a software driver where there is no GPU, so that right answers can be told from wrong ones. */
import { existsSync, readdirSync } from 'node:fs';

/** SwiftShader, from Debian's package chromium-common. */
const SOFTWARE_DRIVER = '/usr/lib/chromium/vk_swiftshader_icd.json';

const hasGpu = (): boolean =>
  process.platform !== 'linux' ||
  existsSync('/dev/nvidia0') ||
  (existsSync('/dev/dri') && readdirSync('/dev/dri').some((name) => name.startsWith('renderD')));

/** To be called before a library looks for drivers. Without a GPU and the software driver it changes nothing. */
export function useVulkan(): void {
  if (process.env.VK_DRIVER_FILES !== undefined || hasGpu() || !existsSync(SOFTWARE_DRIVER)) return;
  process.env.VK_DRIVER_FILES = SOFTWARE_DRIVER;
}
