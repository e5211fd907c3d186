/** Inputs for proofs, statistics and drift: the user's data where given, else the seeded generator. */
import { present } from '../diagnostic.ts';
import { bindShapes, samples, type Shapes } from '../ir/graph/bindings.ts';
import { inferFacts } from '../ir/graph/facts.ts';
import { opened } from '../ir/graph/open.ts';
import { elementCount, type Model, type ValueName } from '../ir/graph/graph.ts';
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
	const generator = new Generator(model, options);
	if (data === undefined) {
		const { count } = generator;
		return {
			words: count === 1 ? '1 generated input' : `${count} generated inputs at two sizes`,
			calibration: Array.from({ length: count }, (_, at) => ({
				get feeds() {
					return present(generator.whole[at], 'a sample');
				},
				at: `generated ${at}`,
			})),
			get heldOut() {
				return generator.whole;
			},
			proofFor: (kept) => generator.samples(kept),
		};
	}
	const { examples, words } = await openData(model, { ...data, modelPath, shapes });
	const given = draw(examples, data).map(({ make }) => make());
	const { used, heldOut } = holdOut(given);
	const few = used.slice(0, Math.max(2, Math.floor(samples / 2))).map(({ feeds }) => feeds);
	const split = used === given ? '' : `, ${heldOut.length} held out for drift`;
	return {
		words: `${given.length} of '${data.path}' (${words})${split}; the proof adds ${generator.count} generated ones at two sizes`,
		calibration: used,
		heldOut: heldOut.map(({ feeds }) => feeds),
		proofFor: (kept) => [...(kept.size > 0 ? [] : few), ...generator.samples(kept)],
	};
}

/** onnxruntime's grouped attention takes several new positions behind a cache of one sequence alone. */
const takesOne = ({ graph }: Model): boolean =>
	graph.nodes.some(({ op, inputs }) => op === 'GroupQueryAttention' && (inputs[3] ?? '') !== '');

/** Numbers that all generated inputs together may hold: 1 GiB of single precision. */
const most = 2 ** 28;

/** Makes inputs when they are first asked for: a plan that is refused needs none, and those of some models are large. */
class Generator {
	/** As many as asked for, fewer where they are large, but one of each size. */
	readonly count: number;
	private readonly model: Model;
	private readonly seed: number;
	private readonly sizes: readonly [Shapes, Shapes];
	private made: readonly Sample[] | undefined;

	constructor(model: Model, { shapes, seed, samples: asked }: InputOptions) {
		this.model = model;
		this.seed = seed;
		this.sizes = sizesOf(model, shapes);
		const [first, second] = this.sizes.map((sizes) =>
			[...sizes.values()].reduce((sum, dims) => sum + elementCount(dims), 0),
		);
		const least = first === second ? 1 : 2;
		this.count = Math.min(asked, Math.max(least, Math.floor(most / Math.max(1, first ?? 0, second ?? 0))));
	}

	get whole(): readonly Sample[] {
		this.made ??= this.cutTo(new Map());
		return this.made;
	}

	/** At the positions that earlier steps have kept. */
	samples(kept: Kept): readonly Sample[] {
		return kept.size === 0 ? this.whole : this.cutTo(kept);
	}

	private cutTo(kept: Kept): readonly Sample[] {
		return Array.from({ length: this.count }, (_, at) => {
			const cut = [...this.sizes[at % 2 === 0 ? 0 : 1]].map(
				([name, dims]) => [name, dims.map((dim, axis) => kept.get(name)?.get(axis)?.length ?? dim)] as const,
			);
			return generate(this.model, new Map(cut), this.seed * 1000 + at);
		});
	}
}

/** Input sizes at the two samples. */
function sizesOf(model: Model, shapes: Shapes): readonly [Shapes, Shapes] {
	if (!takesOne(model)) return inferFacts(opened(model), shapes).shapes;
	const [first, second] = samples.map((sample) => bindShapes(model, { ...sample, batch: 1 }, shapes));
	return [present(first, 'sizes'), present(second, 'sizes')];
}
