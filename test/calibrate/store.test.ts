import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { NewVersion } from '../../src/calibrate/index.js';
import { ProfileStore, fingerprintHere, machineHere, storeHome, versionBeside } from '../../src/calibrate/index.js';

let home: string;
let damage: string[];
let store: ProfileStore;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'meshwright-store-'));
  damage = [];
  store = new ProfileStore(home, ({ message }) => damage.push(message));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const HERE = fingerprintHere('onnx');
const newVersion = (changes: Partial<NewVersion> = {}): NewVersion => ({
  name: 'local',
  from: null,
  made: '2026-11-22T01:00:00.000Z',
  by: 'calibrate',
  accepted: true,
  reason: 'the check set got better',
  machine: HERE,
  profile: 'schema: meshwright/hardware@1\n',
  stack: 'schema: meshwright/stack@1\n',
  ...changes,
});

describe('where the store lies', () => {
  it('is MESHWRIGHT_HOME, then XDG_DATA_HOME, then ~/.local/share', () => {
    expect(storeHome({ MESHWRIGHT_HOME: '/a', XDG_DATA_HOME: '/b' })).toBe('/a');
    expect(storeHome({ MESHWRIGHT_HOME: '', XDG_DATA_HOME: '/b' })).toBe('/b/meshwright');
    expect(storeHome({})).toBe(join(homedir(), '.local/share/meshwright'));
    expect(storeHome({ XDG_DATA_HOME: 'relative' })).toBe(join(homedir(), '.local/share/meshwright'));
  });

  it('is never the home of whoever runs the tests', () => {
    expect(storeHome(process.env).startsWith(tmpdir())).toBe(true);
  });
});

describe('versions of a profile', () => {
  it('are numbered from 1, and the old ones are kept as they were', () => {
    const first = store.addVersion(newVersion());
    const second = store.addVersion(newVersion({ from: first.version, reason: 'more runs' }));
    expect([first.version, second.version]).toEqual([1, 2]);
    expect(store.versions('local')).toEqual([first, second]);
    expect(store.version('local', 1)).toEqual(first);
    expect(second).toMatchObject(versionBeside(second.path)!);
    expect(readdirSync(join(home, 'profiles/local')).sort()).toEqual(['v1', 'v2']);
    expect(damage).toEqual([]);
  });

  it('are used from the newest that is accepted', () => {
    store.addVersion(newVersion());
    store.addVersion(newVersion({ accepted: false, reason: 'the check set got worse' }));
    expect(store.newestAccepted('local', machineHere())?.version).toBe(1);
    store.addVersion(newVersion());
    expect(store.newestAccepted('local', machineHere())?.version).toBe(3);
  });

  it('are not used of another machine, but are of hardware that is no one machine', () => {
    store.addVersion(newVersion({ machine: { ...HERE, processor: 'another' } }));
    store.addVersion(newVersion({ machine: { ...HERE, cores: HERE.cores + 1 } }));
    expect(store.newestAccepted('local', machineHere())).toBeUndefined();
    store.addVersion(newVersion({ name: 'tpu-v4', machine: null }));
    expect(store.newestAccepted('tpu-v4', machineHere())?.version).toBe(1);
    // What newer software does to them is for runs to tell.
    store.addVersion(newVersion({ machine: { ...HERE, node: 'v0.0.1', package: '0.0.1' } }));
    expect(store.newestAccepted('local', machineHere())?.version).toBe(3);
  });

  it('that two processes add at once get two numbers', () => {
    // The other has taken v1 between the look and the renaming.
    const other = new ProfileStore(home, () => undefined);
    let isFirst = true;
    const racing = newVersion();
    Object.defineProperty(racing, 'from', {
      enumerable: true,
      get() {
        if (isFirst) {
          isFirst = false;
          other.addVersion(newVersion({ reason: 'the other' }));
        }
        return null;
      },
    });
    const mine = store.addVersion(racing);
    expect(store.versions('local').map(({ reason }) => reason)).toContain('the other');
    expect(mine.version).toBe(2);
  });

  it('that are damaged are named and passed over', () => {
    const [first, second, third, fourth] = [1, 2, 3, 4].map(() => store.addVersion(newVersion()));
    writeFileSync(join(second!.folder, 'version.json'), '{"schema": ');
    writeFileSync(join(third!.folder, 'version.json'), JSON.stringify({ ...third!, accepted: 'yes', schema: 1 }));
    rmSync(fourth!.path);
    expect(store.newestAccepted('local', machineHere())).toEqual(first);
    expect(damage).toHaveLength(3);
    for (const [index, one] of [second!, third!, fourth!].entries()) {
      expect(damage[index]).toContain(`HARDWARE_INVALID at ${one.folder}`);
    }
    expect(() => store.version('local', 2)).toThrow(/HARDWARE_INVALID at .*version\.json/);
    // Their numbers are not given again.
    expect(store.addVersion(newVersion()).version).toBe(5);
  });

  it('that are not there are told from those that are', () => {
    store.addVersion(newVersion());
    expect(() => store.version('local', 7)).toThrow(
      /HARDWARE_UNKNOWN at hardware: expected one of local@1, got local@7/,
    );
    expect(versionBeside('hardware-profiles/local.yaml')).toBeUndefined();
    expect(store.names()).toEqual(['local']);
  });

  it('need a name that is one of a folder', () => {
    expect(() => store.addVersion(newVersion({ name: '../elsewhere' }))).toThrow(
      /HARDWARE_INVALID at name of a profile/,
    );
  });
});

describe('evidence', () => {
  it('is listed from the oldest, once each', () => {
    store.addEvidence('local', '2026-11-22T02:00:00.000Z', { run: 2 });
    store.addEvidence('local', '2026-11-22T01:00:00.000Z', { run: 1 });
    store.addEvidence('local', '2026-11-22T02:00:00.000Z', { run: 2 });
    expect(store.listEvidence('local').map(({ document }) => document)).toEqual([{ run: 1 }, { run: 2 }]);
    expect(store.listEvidence('other')).toEqual([]);
    expect(store.versions('local')).toEqual([]);
  });

  it('that is damaged is named and passed over', () => {
    store.addEvidence('local', '2026-11-22T01:00:00.000Z', { run: 1 });
    writeFileSync(join(home, 'profiles/local/evidence/20261122T020000000Z-0.json'), 'no JSON');
    expect(store.listEvidence('local')).toHaveLength(1);
    expect(damage).toEqual([expect.stringMatching(/HARDWARE_INVALID at .*-0\.json/)]);
  });

  it('makes room for newer one', () => {
    for (let run = 0; run < 260; run++)
      store.addEvidence('local', new Date(Date.UTC(2026, 0, 1, 0, run)).toISOString(), { run });
    const kept = store.listEvidence('local').map(({ document }) => (document as { run: number }).run);
    expect(kept).toEqual(Array.from({ length: 256 }, (_, index) => index + 4));
  });

  it('that cannot be written says where the store could be instead', () => {
    mkdirSync(join(home, 'profiles'));
    writeFileSync(join(home, 'profiles/local'), 'in the way');
    expect(() => store.addEvidence('local', '2026-11-22T01:00:00.000Z', {})).toThrow(/WRITE_FAILED .*MESHWRIGHT_HOME/);
  });
});
