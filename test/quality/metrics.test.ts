/** Metrics by hand: what each sees of an example, and what it makes of all. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { edits } from '../../src/quality/ctc.ts';
import { changeOf, intervalOf, wilson } from '../../src/quality/intervals.ts';
import { type Metric, type Output, type Seen } from '../../src/quality/metric.ts';
import { metrics, usualMetrics } from '../../src/quality/metrics.ts';
import { correlation, ranks } from '../../src/quality/neighbours.ts';
import { stream } from '../../src/data/generate.ts';

const test = suite('quality');
const named = (name: string): Metric => metrics.find((metric) => metric.name === name)!;
const floats = (dims: readonly number[], data: readonly number[]): Output => ({ type: 1, dims, data });
const outputs = (output: Output, name = 'logits'): Seen['outputs'] => new Map([[name, output]]);
const seen = (output: Output, rest: Partial<Seen> = {}, name?: string): Seen => ({
	outputs: outputs(output, name),
	original: outputs(output, name),
	...rest,
});
const near = (actual: number | undefined, wanted: number, tolerance = 1e-12): void =>
	assert.ok(Math.abs((actual ?? NaN) - wanted) <= tolerance, `${actual}, not ${wanted}`);

test('accuracy counts classes, and positions but for those marked -100', () => {
	const { observe } = named('accuracy');
	assert.equal(observe(seen(floats([1, 3], [0, 2, 1]), { label: 1 })), [1, 1]);
	assert.equal(observe(seen(floats([1, 3], [0, 2, 1]), { label: 2 })), [0, 1]);
	const rows = floats([1, 4, 2], [1, 0, 0, 1, 1, 0, 0, 1]);
	assert.equal(observe(seen(rows, { label: [0, 1, 1, -100] })), [2, 3]);
	assert.is(observe(seen(rows, { label: 1 })), undefined);
	assert.is(observe(seen(rows, { label: 'text' })), undefined);
	assert.equal(observe(seen({ type: 7, dims: [1], data: [4] }, { label: 4 }, 'label')), [1, 1]);
});

test('F1 is the mean over classes', () => {
	// Class 0: precision 2/3, recall 1, F1 0.8; class 1: precision 1, recall 1/2, F1 2/3; class 2 is predicted nowhere: 0.
	const pairs = [
		[0, 0],
		[0, 0],
		[0, 1],
		[1, 1],
		[1, 2],
	];
	// The last pair takes class 1's precision to 1/2: F1 1/2.
	near(named('f1').value(pairs), (0.8 + 0.5 + 0) / 3);
});

test('an exact match is every position, or the whole text', () => {
	const { observe } = named('exact_match');
	const rows = floats([1, 2, 2], [1, 0, 0, 1]);
	assert.equal(observe(seen(rows, { label: [0, 1] })), [1, 1]);
	assert.equal(observe(seen(rows, { label: [0, 0] })), [0, 1]);
});

test('texts are read greedily: repeats and blanks dropped, classes beyond the letters are spaces', () => {
	const best = [1, 1, 0, 1, 2, 3, 0, 2];
	const steps = floats(
		[1, 8, 4],
		best.flatMap((one) => [0, 1, 2, 3].map((at) => Number(at === one))),
	);
	const letters = ['a', 'b'];
	assert.equal(named('exact_match').observe(seen(steps, { letters, label: 'aab b' })), [1, 1]);
	assert.equal(named('characters').observe(seen(steps, { letters, label: 'aabb' })), [3, 4]);
	assert.equal(
		[
			['kitten', 'sitting'],
			['', 'abc'],
			['abc', ''],
			['ab', 'ba'],
		].map(([from = '', to = '']) => edits(from, to)),
		[3, 3, 3, 2],
	);
});

test('perplexity is that of each next token, padding left out', () => {
	const { observe, value } = named('perplexity');
	const third = Math.log(1 / 3);
	const scores = floats(
		[1, 3, 3],
		[third, third, third, Math.log(0.5), Math.log(0.25), Math.log(0.25), 9, 9, 9],
	);
	const ids = { type: 7, dims: [1, 3], data: [2, 1, 1] };
	const [sum, count] = observe(seen(scores, { ids }))!;
	near(sum, Math.log(3) + Math.log(4));
	assert.is(count, 2);
	near(value([[sum!, count!]]), Math.sqrt(12));
	const mask = { type: 7, dims: [1, 3], data: [1, 1, 0] };
	near(value([observe(seen(scores, { ids, mask }))!]), 3);
	assert.is(observe(seen(scores, { ids: { ...ids, data: [2, 1, 3] } })), undefined);
});

test('agreement is with the first model, padding left out', () => {
	const own = outputs(floats([1, 3, 2], [1, 0, 1, 0, 1, 0]));
	const original = outputs(floats([1, 3, 2], [1, 0, 0, 1, 0, 1]));
	const mask = { type: 7, dims: [1, 3], data: [1, 1, 0] };
	assert.equal(named('agreement').observe({ outputs: own, original }), [1, 3]);
	assert.equal(named('agreement').observe({ outputs: own, original, mask }), [1, 2]);
});

test('vectors of positions are pooled: the mean without padding, or the first', () => {
	const own = floats([1, 3, 2], [3, 0, 0, 4, 9, 9]);
	const original = outputs(floats([1, 2], [1, 0]), 'embedding');
	const mask = { type: 7, dims: [1, 3], data: [1, 1, 0] };
	const of = (rest: Partial<Seen>): number =>
		named('cosine').observe({ outputs: outputs(own, 'last_hidden_state'), original, ...rest })![0]!;
	near(of({ mask }), 0.6);
	near(of({ pooling: 'cls' }), 1);
});

test('overlap and Spearman compare similarities among the examples', () => {
	const at = (angle: number): number[] => [Math.cos(angle), Math.sin(angle)];
	const angles = Array.from({ length: 15 }, (_, index) => 0.1 * index + 0.003 * index ** 2);
	const same = angles.map((angle) => [...at(angle), ...at(angle)]);
	const turned = angles.map((angle) => [...at(angle + 1), ...at(angle)]);
	for (const name of ['overlap', 'spearman']) {
		const { across, value } = named(name);
		near(value(across!(same)), 1);
		near(value(across!(turned)), 1);
		const mixed = angles.map((angle, index) => [...at(angles[(index * 7) % 15]!), ...at(angle)]);
		assert.ok(value(across!(mixed)) < 0.8);
	}
	assert.equal(ranks([10, 30, 20, 20]), [0, 3, 1.5, 1.5]);
	// A textbook's ten pairs of IQ and hours of television: -29/165 (Wikipedia, Spearman's rank correlation).
	const iq = [106, 100, 86, 101, 99, 103, 97, 113, 112, 110];
	const hours = [7, 27, 2, 50, 28, 29, 20, 12, 6, 17];
	near(correlation(ranks(iq), ranks(hours)), -29 / 165);
});

test("Wilson's interval is right where the usual one is not", () => {
	const rounded = ([low, high]: readonly number[]): number[] =>
		[low!, high!].map((one) => Math.round(one * 1e4) / 1e4);
	// Newcombe 1998, table I, method 3: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
	assert.equal(rounded(wilson(81, 263)), [0.2553, 0.3662]);
	assert.equal(rounded(wilson(15, 148)), [0.0624, 0.1605]);
	assert.equal(rounded(wilson(0, 20)), [0, 0.1611]);
	assert.equal(rounded(wilson(1, 29)), [0.0061, 0.1718]);
});

test('intervals are the same every time, hold the value, and shrink with more data', () => {
	const rows = (count: number): number[][] => Array.from({ length: count }, (_, at) => [(at * 7) % 5, 4]);
	const metric = named('characters');
	const [few, many] = [20, 2000].map((count) => intervalOf(metric, rows(count), stream(0)));
	assert.equal(few, intervalOf(metric, rows(20), stream(0)));
	assert.ok(few![0] < 0.5 && few![1] > 0.5 && many![0] < 0.5 && many![1] > 0.5);
	// √100 times narrower, within what 1,000 resamples tell.
	const shrunk = (few![1] - few![0]) / (many![1] - many![0]);
	assert.ok(shrunk > 7 && shrunk < 14, String(shrunk));
});

test('a change is paired: two models that err on the same examples differ by nothing', () => {
	const metric = named('accuracy');
	const rows = Array.from({ length: 50 }, (_, at) => [at % 2, 1]);
	assert.equal(changeOf(metric, rows, rows, stream(0)), [0, 0]);
	const worse = rows.map(([hit, of], at) => [at === 1 ? 0 : hit!, of!]);
	const [low, high] = changeOf(metric, rows, worse, stream(0));
	assert.ok(low < 0 && high === 0);
});

test('what is measured when nobody says follows the label and the outputs', () => {
	const names = (one: Seen): string[] => usualMetrics(one).map(({ name }) => name);
	const classes = floats([1, 3], [0, 2, 1]);
	const ids = { type: 7, dims: [1, 2], data: [0, 1] };
	assert.equal(names(seen(classes, { label: 1 })), ['accuracy']);
	assert.equal(names(seen(classes)), ['agreement', 'cosine']);
	assert.equal(names(seen(classes, { label: 'a', letters: ['a', 'b'] })), ['exact_match', 'characters']);
	assert.equal(names(seen(floats([1, 2, 2], [0, 0, 0, 0]), { ids })), ['perplexity', 'agreement']);
	assert.equal(names(seen(floats([1, 2, 4], Array(8).fill(1)), { ids }, 'last_hidden_state')), [
		...['spearman', 'overlap', 'cosine'],
	]);
});

test.run();
