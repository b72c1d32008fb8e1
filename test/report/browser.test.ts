/** The report as a person has it: in a browser, from a file, without a network. */
import { pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';
import type { Browser, Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { removeFolder } from '../cli/support.js';
import { chromiumPath } from '../helpers/chromium.js';
import type { Pages } from './pages.js';
import { EVIL, MARKUP, makePages } from './pages.js';

const executablePath = chromiumPath();

describe.skipIf(executablePath === undefined)('a report in Chromium', () => {
  let browser: Browser;
  let pages: Pages;
  /** Of the page that is open: what it complained about, and what it asked for beside itself. */
  let complaints: string[] = [];

  beforeAll(async () => {
    pages = await makePages();
    browser = await chromium.launch({ executablePath: executablePath!, args: ['--no-sandbox'] });
  }, 120_000);
  afterAll(async () => {
    await browser?.close();
    if (pages !== undefined) removeFolder(pages.folder);
  });

  interface Look {
    readonly width?: number;
    readonly colorScheme?: 'light' | 'dark';
  }

  /** With all its figures drawn. */
  async function open(name: string, { width = 1280, colorScheme = 'light' }: Look = {}): Promise<Page> {
    const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme });
    const url = pathToFileURL(pages.page(name)).href;
    complaints = [];
    page.on('console', (message) => complaints.push(`console: ${message.text()}`));
    page.on('pageerror', (error) => complaints.push(`error: ${error.message}`));
    page.on('request', (request) => request.url() !== url && complaints.push(`request: ${request.url()}`));
    await page.goto(url);
    for (const drawing of await page.locator('[data-kind]').all()) {
      await drawing.scrollIntoViewIfNeeded();
      await drawing.locator('svg').waitFor();
    }
    return page;
  }

  /** Points at the middle of the figure's marks until something is said beside the pointer. */
  async function pointAt(page: Page, mark: Locator): Promise<string> {
    const painted = page.locator('[data-kind] :is(path[fill^="var"], path[stroke^="var"])');
    await page.mouse.move(0, 0);
    await page.waitForFunction(() =>
      [...document.querySelectorAll<HTMLElement>('.tip')].every(
        (tip) => !tip.checkVisibility({ visibilityProperty: true, opacityProperty: true }),
      ),
    );
    const before = await painted.count();
    await mark.scrollIntoViewIfNeeded();
    const box = (await mark.boundingBox())!;
    await page.mouse.move(box.x + box.width / 2 - 2, box.y + box.height / 2);
    await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
    const tip = page.locator('.tip').filter({ visible: true });
    await tip.waitFor({ timeout: 5000 });
    // It is still there, in its colour.
    expect(await painted.count()).toBeGreaterThanOrEqual(before);
    return tip.innerText();
  }

  it.each(['torus.html', 'run.html', 'all.html'])(
    'draws every figure of %s, says nothing and asks for nothing',
    async (name) => {
      const page = await open(name);
      const drawings = page.locator('[data-kind]');
      const count = await drawings.count();
      expect(count).toBeGreaterThanOrEqual(6);
      for (const drawing of await drawings.all()) {
        const id = await drawing.getAttribute('id');
        expect(await drawing.locator('svg path').count(), id!).toBeGreaterThan(3);
        expect(await drawing.getAttribute('role')).toBe('img');
        // The name and what is seen in it, in words.
        for (const attribute of ['aria-labelledby', 'aria-describedby'])
          expect(
            (await page.locator(`#${await drawing.getAttribute(attribute)}`).innerText()).length,
            id!,
          ).toBeGreaterThan(8);
      }
      expect(await page.locator('figure').count()).toBe(count);
      expect(await page.locator('figure details table').count()).toBe(count);
      expect(complaints).toEqual([]);
      await page.close();
    },
  );

  it.each([1280, 390])(
    'the words at both roofs can be told apart at %i px, and are inside of the figure',
    async (width) => {
      const page = await open('torus.html', { width });
      const figure = page.locator('figure', { hasText: 'Kernels under the rooflines' }).locator('svg');
      const [peak, reached, all] = await Promise.all(
        [figure.getByText('peak', { exact: true }), figure.getByText('reached', { exact: true }), figure].map(
          async (one) => (await one.boundingBox())!,
        ),
      );
      expect(peak!.y + peak!.height).toBeLessThanOrEqual(reached!.y);
      for (const one of [peak!, reached!]) expect(one.x + one.width).toBeLessThanOrEqual(all!.x + all!.width);
      await page.close();
    },
  );

  it('names and words that are markup are names and words', async () => {
    const page = await open('all.html');
    expect(await page.locator('h2', { hasText: MARKUP.replace('.yaml', '') }).count()).toBe(1);
    expect(await page.locator('h2 b, dt img').count()).toBe(0);
    expect(await page.locator('dt', { hasText: EVIL }).count()).toBeGreaterThan(0);
    expect(await page.locator('script:not([type])').count()).toBe(1);
    expect(complaints).toEqual([]);
    await page.close();
  });

  it('zooms into a step until ops are named, goes later and back to all of it', async () => {
    const page = await open('torus.html');
    const figure = page.locator('#job-1-timeline');
    const drawing = figure.locator('[data-kind=timeline]');
    const shown = async (): Promise<number> => {
      const { from, to } = await drawing.evaluate((element) => ({ ...(element as HTMLElement).dataset }));
      return Number(to) - Number(from);
    };
    const axis = (): Promise<string[]> => drawing.locator('svg text').allTextContents();
    const before = await axis();
    const press = async (name: string): Promise<void> => {
      const was = await drawing.evaluate((element) => JSON.stringify((element as HTMLElement).dataset));
      await figure.getByRole('button', { name }).click();
      await page.waitForFunction(([id, old]) => JSON.stringify(document.getElementById(id!)!.dataset) !== old, [
        await drawing.getAttribute('id'),
        was,
      ] as const);
    };
    await press('zoom in');
    const half = await shown();
    await press('zoom in');
    expect(await shown()).toBeCloseTo(half / 2, 9);
    for (let time = 0; time < 6; time++) await press('zoom in');
    expect(await axis()).not.toEqual(before);
    expect((await axis()).join(' ')).toMatch(/matmul|norm|all_reduce|scores|ring/);
    await press('later →');
    await press('all');
    expect(await shown()).toBeGreaterThan(half * 1.99);
    expect(complaints).toEqual([]);
    await page.close();
  });

  it('zooms with the wheel where Ctrl is held, and scrolls the page where it is not', async () => {
    const page = await open('torus.html');
    const drawing = page.locator('#job-1-timeline-drawing');
    await drawing.scrollIntoViewIfNeeded();
    const box = (await drawing.boundingBox())!;
    await page.mouse.move(box.x + box.width / 2, box.y + 30);
    const scrolled = await page.evaluate(() => scrollY);
    await page.mouse.wheel(0, -120);
    await page.waitForFunction((was) => scrollY < was, scrolled);
    expect(await drawing.getAttribute('data-from')).toBeNull();
    await drawing.scrollIntoViewIfNeeded();
    const again = (await drawing.boundingBox())!;
    await page.mouse.move(again.x + again.width / 2, again.y + 30);
    await page.keyboard.down('Control');
    await page.mouse.wheel(0, -240);
    await page.keyboard.up('Control');
    await page.waitForFunction(
      (id) => document.getElementById(id)!.dataset.from !== undefined,
      'job-1-timeline-drawing',
    );
    await page.close();
  });

  it('says of what the pointer is at what it is, and how much', async () => {
    const page = await open('all.html');
    const bar = (id: string, colour: string): Locator =>
      page.locator(`#${id}-drawing path[fill="var(--c-${colour})"]`).first();
    expect(await pointAt(page, bar('job-1-time', 'matmul'))).toMatch(/^matmuls\n[\d.]+.(ms|µs).*% of the step/);
    expect(await pointAt(page, bar('job-2-timeline', 'forward'))).toMatch(/^forward \d+\n/);
    expect(await pointAt(page, page.locator('#job-1-machine-drawing path[stroke^="var(--c-u"]').first())).toMatch(
      /^chip \d+ \+[xyz]: .*; back: /,
    );
    expect(await pointAt(page, bar('job-2-machine', 'u1'))).toMatch(/^chip \d+: .*% used/);
    expect(await pointAt(page, bar('search-1-front', 'front'))).toMatch(/MFU/);
    expect(
      await pointAt(page, page.locator('#job-1-memory-drawing path[fill="var(--c-role-activation)"]').first()),
    ).toMatch(/^at .*: [\d.]+ [MG]B\nactivation/);
    expect(complaints).toEqual([]);
    await page.close();
  });

  it.each([
    { width: 390, colorScheme: 'light' },
    { width: 390, colorScheme: 'dark' },
    { width: 1280, colorScheme: 'dark' },
  ] as const)('fits $width pixels in $colorScheme, with text that stands out', async (look) => {
    const page = await open('all.html', look);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(look.width);
    // Of what would help, memory is the last column.
    const advice = page.locator('h4:has-text("What would help") + .scroll');
    expect(await advice.count()).toBeGreaterThan(0);
    for (const table of await advice.all())
      expect(await table.evaluate((element) => element.scrollWidth - element.clientWidth)).toBe(0);
    const brightness = (property: string): Promise<number> =>
      page.evaluate((name) => {
        const [red, green, blue] = getComputedStyle(document.body).getPropertyValue(name).match(/\d+/g)!.map(Number);
        return (0.299 * red! + 0.587 * green! + 0.114 * blue!) / 255;
      }, property);
    const [ink, paper] = [await brightness('color'), await brightness('background-color')];
    expect(look.colorScheme === 'dark' ? ink - paper : paper - ink).toBeGreaterThan(0.7);
    // Figures take their colours from the same style sheet.
    const label = page.locator('#job-1-time-drawing svg text').first();
    expect(await label.evaluate((element) => getComputedStyle(element).fill)).toBe(
      await page.evaluate(() => getComputedStyle(document.body).color),
    );
    expect(complaints).toEqual([]);
    await page.close();
  });

  it('is printed light, each figure whole and no wider than the paper', async () => {
    const page = await open('all.html', { colorScheme: 'dark' });
    await page.emulateMedia({ media: 'print' });
    await page.evaluate(() => dispatchEvent(new Event('beforeprint')));
    expect(await page.evaluate(() => getComputedStyle(document.body).color)).toBe('rgb(28, 33, 40)');
    const widths = await page.locator('[data-kind] svg').evaluateAll((all) => all.map((one) => one.clientWidth));
    expect(Math.max(...widths)).toBeLessThanOrEqual(700);
    expect(await page.locator('.zoom').first().isVisible()).toBe(false);
    const pdf = await page.pdf({ format: 'A4' });
    expect(pdf.subarray(0, 5).toString()).toBe('%PDF-');
    expect(complaints).toEqual([]);
    await page.close();
  });

  it('can be used with the keyboard alone', async () => {
    const page = await open('torus.html');
    const button = page.locator('#job-1-timeline [data-zoom=in]');
    await button.focus();
    await page.keyboard.press('Enter');
    await page.waitForFunction(
      (id) => document.getElementById(id)!.dataset.from !== undefined,
      'job-1-timeline-drawing',
    );
    const summary = page.locator('#job-1-time summary');
    await summary.focus();
    await page.keyboard.press('Enter');
    expect(await page.locator('#job-1-time table').isVisible()).toBe(true);
    await page.close();
  });
});
