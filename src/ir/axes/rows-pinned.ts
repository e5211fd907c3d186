/** Operators that no axis runs through, each with its reason; sizes are followed where they can be. */
import { BOOL, FLOAT, INT64 } from '../graph/dtype.ts';
import { pinned, type Operator, int } from './operator.ts';
import { inputSizes, intAttribute, intsAttribute, sampledInts, type NodeView } from './view.ts';

const random = 'it draws random numbers, one a position';
const body = 'it runs a body of its own';
const opens =
	'axes run through its bodies, whose operators are those of this table; states and results keep their places';
const sequence = 'the tensors of a sequence are not followed';
const texts = 'its elements are texts';
const window = 'its length comes from its operand';

const typeSaid =
	(otherwise: (view: NodeView) => number) =>
	(view: NodeView): number =>
		intAttribute(view, 'dtype', otherwise(view));
const ownType = (view: NodeView): number => view.inputs[0]?.type ?? FLOAT;
const same = (view: NodeView): (readonly number[] | undefined)[] => [inputSizes(view, 0)];

const lengthOf = (view: NodeView): (number[] | undefined)[] => {
	const count = sampledInts(view, 0)?.[0];
	return count === undefined ? [] : [[count]];
};

/** A loss of one number, or one a target. */
function lossSizes(view: NodeView): (readonly number[] | undefined)[] {
	const reduction = view.node.attributes.get('reduction');
	const loss = reduction?.kind === 'string' && reduction.value === 'none' ? inputSizes(view, 1) : [];
	return [loss, inputSizes(view, 0)];
}

const losses: readonly Operator[] = [
	pinned('SoftmaxCrossEntropyLoss', 'a loss is a mean over samples and classes', {
		sizes: lossSizes,
		examples: [{ inputs: [[3, 5], { sizes: [3], type: INT64, below: 5 }], outputs: 2, unrelated: true }],
	}),
	pinned('NegativeLogLikelihoodLoss', 'a loss is a mean over samples and classes', {
		sizes: lossSizes,
		examples: [{ inputs: [[3, 5], { sizes: [3], type: INT64, below: 5 }], unrelated: true }],
	}),
];

const drawn: readonly Operator[] = [
	pinned(['RandomNormal', 'RandomUniform'], random, {
		sizes: (view) => [intsAttribute(view, 'shape')],
		type: typeSaid(() => FLOAT),
		examples: [{ inputs: [], attributes: { shape: { kind: 'ints', value: [3, 4] } }, unrelated: true }],
	}),
	pinned(['RandomNormalLike', 'RandomUniformLike', 'Bernoulli'], random, {
		sizes: same,
		type: typeSaid(ownType),
		examples: [{ inputs: [{ sizes: [3, 4], positive: true }], unrelated: true }],
	}),
	pinned('Multinomial', random, {
		sizes: (view) => [[inputSizes(view, 0)?.[0] ?? 1, intAttribute(view, 'sample_size', 1)]],
		type: typeSaid(() => 6),
		examples: [{ inputs: [[3, 4]], attributes: { sample_size: int(2) }, unrelated: true }],
	}),
];

const signals: readonly Operator[] = [
	pinned(['BlackmanWindow', 'HammingWindow', 'HannWindow'], window, {
		sizes: lengthOf,
		type: (view) => intAttribute(view, 'output_datatype', FLOAT),
		examples: [{ inputs: [{ ints: [5], scalar: true }], unrelated: true }],
	}),
	pinned('MelWeightMatrix', window, {
		sizes: (view) => {
			const [bands, length] = [sampledInts(view, 0)?.[0], sampledInts(view, 1)?.[0]];
			return bands === undefined || length === undefined ? [] : [[Math.floor(length / 2) + 1, bands]];
		},
		type: (view) => intAttribute(view, 'output_datatype', FLOAT),
		examples: [
			{
				inputs: [
					{ ints: [8], scalar: true },
					{ ints: [16], scalar: true },
					{ ints: [8000], scalar: true },
					{ floats: [0], scalar: true },
					{ floats: [4000], scalar: true },
				],
				unrelated: true,
			},
		],
	}),
];

export const pinnedRows: readonly Operator[] = [
	pinned('Constant', 'a constant is an operand of each of its readers'),
	pinned(['If', 'Loop', 'Scan'], opens),
	pinned('SequenceMap', body),
	pinned(['BeamSearch', 'GreedySearch', 'Sampling', 'WhisperBeamSearch'], body, { domain: 'com.microsoft' }),
	pinned(
		[
			...['ConcatFromSequence', 'SplitToSequence', 'SequenceAt', 'SequenceConstruct', 'SequenceEmpty'],
			...['SequenceErase', 'SequenceInsert', 'SequenceLength'],
			...['Optional', 'OptionalGetElement'],
		],
		sequence,
	),
	pinned('OptionalHasElement', sequence, { sizes: () => [[]], type: () => BOOL }),
	pinned(['RegexFullMatch', 'StringConcat', 'StringNormalizer', 'StringSplit', 'TfIdfVectorizer'], texts),
	pinned('ImageDecoder', 'its input is an encoded file'),
	...losses,
	...drawn,
	...signals,
];
