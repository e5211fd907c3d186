/** Inputs for proofs, statistics and drift: the user's data where given, else the seeded generator. */
import { bindShapes, samples, type Shapes } from '../ir/graph/bindings.ts';
import { inferFacts } from '../ir/graph/facts.ts';
import { opened } from '../ir/graph/open.ts';
import { type Model, type ValueName } from '../ir/graph/graph.ts';
import { draw, holdOut } from './draw.ts';
import { generate } from './generate.ts';
import { openData } from './inputs.ts';
import { type Example, type Sample } from './sample.ts';

/** Kept positions of inputs that earlier steps have cut, by name and axis. */
type Kept = ReadonlyMap<ValueName, ReadonlyMap<number, Int32Array>>;

export type InputSet = {
	/** Where the inputs come from, in words. */
	readonly words: string;
	/** For statistics. */
	readonly calibration: readonly Example[];
	/** For drift: data that the statistics have not seen, where there is enough of it. */
	readonly heldOut: readonly Sample[];
	/** For proofs: two sizes of every symbolic dimension, at the positions that earlier steps have kept. */
	proofFor(kept: Kept): readonly Sample[];
};

export type InputOptions = {
	readonly shapes: Shapes;
	/** Of what is generated. */
	readonly seed: number;
	readonly samples: number;
	readonly modelPath: string;
	/** The user's data, and which of it. */
	readonly data?: {
		readonly path: string;
		readonly take?: number;
		readonly seed?: number;
		readonly tokens?: number;
	};
};

/** Throws `Fault` for data that does not fit the model. */
export async function readInputs(model: Model, options: InputOptions): Promise<InputSet> {
	const { samples, data, shapes, modelPath } = options;
	const made = (kept: Kept): Sample[] => generated(model, options, kept);
	if (data === undefined) {
		const all = made(new Map());
		return {
			words: `${samples} generated inputs at two sizes`,
			calibration: all.map((feeds, at) => ({ feeds, at: `generated ${at}` })),
			heldOut: all,
			proofFor: made,
		};
	}
	const { examples, words } = await openData(model, { ...data, modelPath, shapes });
	const given = draw(examples, data).map(({ make }) => make());
	const { used, heldOut } = holdOut(given);
	const few = used.slice(0, Math.max(2, Math.floor(samples / 2))).map(({ feeds }) => feeds);
	const split = used === given ? '' : `, ${heldOut.length} held out for drift`;
	return {
		words: `${given.length} of '${data.path}' (${words})${split}; the proof adds ${samples} generated ones at two sizes`,
		calibration: used,
		heldOut: heldOut.map(({ feeds }) => feeds),
		proofFor: (kept) => (kept.size > 0 ? made(kept) : [...few, ...made(kept)]),
	};
}

/** onnxruntime's grouped attention takes several new positions behind a cache of one sequence alone. */
const takesOne = ({ graph }: Model): boolean =>
	graph.nodes.some(({ op, inputs }) => op === 'GroupQueryAttention' && (inputs[3] ?? '') !== '');

/** Input sizes at one of the two samples. */
function sizesAt(model: Model, shapes: Shapes, turn: 0 | 1): Shapes {
	if (takesOne(model)) return bindShapes(model, { ...samples[turn], batch: 1 }, shapes);
	return inferFacts(opened(model), shapes).shapes[turn];
}

function generated(model: Model, { shapes, seed, samples: count }: InputOptions, kept: Kept): Sample[] {
	return Array.from({ length: count }, (_, at) => {
		const sizes = sizesAt(model, shapes, at % 2 === 0 ? 0 : 1);
		const cut = new Map(
			[...sizes].map(([name, dims]) => [
				name,
				dims.map((dim, axis) => kept.get(name)?.get(axis)?.length ?? dim),
			]),
		);
		return generate(model, cut, seed * 1000 + at);
	});
}
