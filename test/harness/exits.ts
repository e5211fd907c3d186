/** Classifiers made in code for tests of exits, and what they say. */
import * as assert from 'uvu/assert';
import { openSession, type Feeds } from '../../src/backends/ort/session.ts';
import { stream } from '../../src/data/generate.ts';
import { type Model } from '../../src/ir/graph/graph.ts';
import { FLOAT } from '../../src/ir/graph/dtype.ts';
import { buildOf } from './exact.ts';
import { encoderLayer, modelBuilder, type Build } from './model.ts';

export const sizes = { heads: 2, width: 4, hidden: 16 };

export type Shape = {
	readonly layers?: number;
	readonly post?: boolean;
	readonly opset?: number;
	/** From the last layer's result to the outputs; the values of all layers come along. */
	readonly head?: (b: Build, x: string, all: readonly string[]) => void;
};

export const pooled = (b: Build, x: string): string => b.node('Gather', [x, b.ints([0], [])], { axis: 1 });

/** The first token, a hidden layer, five classes. */
export const classes = (b: Build, x: string): string => {
	const hidden = b.node('Tanh', [b.node('MatMul', [pooled(b, x), b.weight([8, 8])])]);
	return b.node('Mul', [b.node('MatMul', [hidden, b.weight([8, 5])]), b.floats([2], [])]);
};

export function classifier({ layers = 3, post = false, opset = 17, head }: Shape = {}): Model {
	const b = modelBuilder({ opset });
	const all = [b.input('x', ['batch', 'seq', 8])];
	for (let layer = 0; layer < layers; layer++) all.push(encoderLayer(b, all.at(-1)!, { ...sizes, post }));
	const plain = (): void => {
		b.output(classes(b, all.at(-1)!), ['batch', 5]);
	};
	(head ?? plain)(b, all.at(-1)!, all);
	return b.build();
}

export function feedsOf(seed: number, batch: number): Feeds {
	const next = stream(seed);
	const data = Float32Array.from({ length: batch * 6 * 8 }, () => 4 * next() - 2);
	return new Map([['x', { type: FLOAT, dims: [batch, 6, 8], data }]]);
}

/** The scores of each row, for each of the feeds. */
export async function scoresOf(model: Model, feeds: readonly Feeds[]): Promise<number[][][]> {
	const session = await openSession(model, { which: 'given', optimize: 'all', threads: 1 });
	const name = model.graph.outputs[0]!.name;
	const results: number[][][] = [];
	for (const own of feeds) {
		const { data, dims } = (await session.run(own)).get(name)!;
		const flat = Array.from(data, Number);
		results.push(
			Array.from({ length: dims[0]! }, (_, row) => flat.slice(row * dims[1]!, (row + 1) * dims[1]!)),
		);
	}
	await session.release();
	return results;
}

export function probabilities(scores: readonly number[]): number[] {
	const powers = scores.map((score) => Math.exp(score - Math.max(...scores)));
	const sum = powers.reduce((all, one) => all + one, 0);
	return powers.map((one) => one / sum).sort((a, b) => b - a);
}

/** What the words mean, computed without a graph. */
export const measures: Readonly<Record<string, (scores: readonly number[]) => number>> = {
	confidence: (scores) => probabilities(scores)[0]!,
	margin: (scores) => probabilities(scores)[0]! - probabilities(scores)[1]!,
	entropy: (scores) => -probabilities(scores).reduce((sum, p) => sum + p * Math.log(p), 0),
};

export const far = (left: readonly (readonly number[])[], right: readonly (readonly number[])[]): number =>
	Math.max(...left.flat().map((value, at) => Math.abs(value - right.flat()[at]!)));

export async function assertRefused(model: Model, recipe: string, says: RegExp): Promise<void> {
	try {
		await buildOf(model, recipe);
	} catch (problem) {
		const { message } = problem as Error;
		assert.ok(says.test(message), message);
		return;
	}
	assert.unreachable(`${recipe} was carried out`);
}
