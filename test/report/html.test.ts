/** The page of a build: everything in it, nothing from elsewhere, well formed whatever names and texts hold. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { htmlReport } from '../../src/report/html.ts';
import { type Reported } from '../../src/report/reported.ts';

const test = suite('the report page');

const hostile = `<img src=x onerror="alert('1')"> & "more"`;
const document: Reported = {
	ok: true,
	recipe: {},
	model: { path: `/models/${hostile}.onnx`, params: 1000, macs: 4000, bytes: 4100 },
	output: { params: 600, macs: 2000, bytes: 2500 },
	inputs: hostile,
	steps: [
		{
			...{ statement: `prune heads until latency <= 60%`, selected: 2, of: 4, unit: 'heads', metric: 'obs' },
			...{ params: [1000, 600], macs: [4000, 2000] },
			removed: [{ layer: 0, units: [1, 3] }],
			groups: [{ layer: 0, label: hostile, units: [0, 1, 2, 3], importance: [1, 0.25, 0.5, 0] }],
			reached: [{ goal: 'latency <= 60%', unit: 'share', predicted: 0.58, measured: 0.6 }],
			compensated: [{ layer: 0, choice: 'affine', heldOut: { affine: 0.01, bias: 0.1, none: 0.2 } }],
		},
	],
	drift: {
		cosine: 0.999,
		relativeL2: 0.04,
		kl: 0.01,
		outputs: [{ name: hostile, cosine: 0.999, relativeL2: 0.04 }],
	},
	latency: {
		...{ beforeMs: 10, afterMs: 6, beforeRangeMs: [9, 12], afterRangeMs: [5, 8] },
		...{ ratio: 0.6, threads: 2, runs: 15 },
	},
	expectations: [{ text: 'expect cosine >= 0.9', value: 0.999, ok: true }],
	diagnostics: [{ code: 'plan/pinned-axis', severity: 'warning', message: hostile, label: 'layers 6 to 11' }],
};
const page = htmlReport(document, `# ${hostile}`);

test('holds what a reader asks for', () => {
	const titles = [...page.matchAll(/<h[123]>(.*?)<\/h[123]>/g)].map(([, title]) => title);
	assert.equal(titles.slice(1), [
		...['What is left', 'Share that is left', '1. prune heads until latency &#60;= 60%'],
		...['Kept and removed heads', 'Importance of heads, removed ones crossed out'],
		...['How far from the original', 'Expectations', 'Recipe', 'Messages'],
	]);
	for (const text of [
		'60.0%',
		'predicted 58%',
		'9.00 to 12.0',
		'plan/pinned-axis',
		'layers 6 to 11',
		'holds',
	])
		assert.ok(page.includes(text), text);
	assert.is(page.match(/class="cross"/g)?.length, 2);
	assert.ok(page.includes('2 of 4'));
});

test('needs nothing else and runs nothing', () => {
	assert.not.match(page, /<(script|link|img|iframe|object)\b|\burl\(|@import/i);
	assert.not.match(page, /<[^>]*\son\w+=/i);
});

test('closes every tag that it opens, whatever the texts hold', () => {
	const open: string[] = [];
	for (const [, end, name, , empty] of page.matchAll(/<(\/?)([a-z][a-z0-9]*)((?:"[^"]*"|[^">])*?)(\/?)>/g)) {
		if (empty === '/' || ['meta', 'br'].includes(name!)) continue;
		if (end === '/') assert.is(open.pop(), name);
		else open.push(name!);
	}
	assert.equal(open, []);
});

test.run();
