/** When a result is refused for its time: never by noise, never where it was asked for. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { checkText } from '../src/recipe-text/check-text.ts';
import { slowerThanBefore } from '../src/build/judge.ts';
import { isSlower } from '../src/vocabulary.ts';

const test = suite('results that are slower');

function codes(recipe: string, [before, fastest]: readonly [number, number]): string[] {
	const latency = {
		...{ beforeMs: before, afterMs: fastest + 1, ratio: fastest / before, threads: 1, runs: 15 },
		...{ beforeRangeMs: [before - 1, before + 9] as const, afterRangeMs: [fastest, fastest + 9] as const },
	};
	return slowerThanBefore(latency, checkText(recipe, {}).recipe, isSlower).map(({ code }) => code);
}

test('a result whose fastest run takes longer than half of the original runs is refused', () => {
	assert.equal(codes('prune tokens keep 90% after layer 1', [10, 10.5]), ['verify/slower']);
});

test('runs that overlap show nothing', () => {
	for (const fastest of [9, 10, 10.1]) assert.equal(codes('prune ffn 50%', [10, fastest]), []);
});

test('a promise of latency is judged by itself, and statements that take time have said so', () => {
	const said = [
		'prune ffn 50%; expect latency <= 120%',
		'prune ffn 50%; unfuse attention',
		'exit after layer 1 when confidence > 0.9',
		'prune softmax with relu',
	];
	for (const recipe of said) assert.equal(codes(recipe, [10, 20]), [], recipe);
});

test('what was not timed is not slow', () => {
	assert.equal(slowerThanBefore(undefined, undefined, isSlower), []);
});

test.run();
