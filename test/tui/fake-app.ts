/**
 * The UI over fake services, as a program for a real terminal. Argument: what goes wrong, if anything: `render` breaks
 * a view, `timer` throws where nobody catches.
 */
import process from 'node:process';
import { runTui } from '../../src/tui/index.js';
import { fakeServices, found } from './fake-services.js';

const [wrong, steps] = process.argv.slice(2);
const tick = () => new Promise((resolve) => setTimeout(resolve, 15));
const services = fakeServices({ tick, steps: Number(steps ?? 60) });

function broken(): typeof services {
  if (wrong === 'render') {
    // A row that is no plan: views may rely on the contract, so they break.
    return { ...services, search: () => Promise.resolve(found([null as never])) };
  }
  if (wrong === 'timer') {
    const thrown = new Error('thrown in a timer');
    return {
      ...services,
      search: () =>
        new Promise(() =>
          setTimeout(() => {
            throw thrown;
          }, 50),
        ),
    };
  }
  return services;
}

await runTui(broken(), { initial: { chips: 1024, batch: 65_536 } });
console.log('left the interface');
