/** A vocabulary like the real one, so that the language can be tested without techniques. */
import { type TechniqueWords, type Vocabulary } from '../../src/ir/recipe/vocabulary.ts';

const units = {
	amounts: ['remove-share', 'remove-count', 'keep-share', 'keep-count', 'set'],
	bare: false,
	clauses: ['in', 'except', 'where', 'by', 'align', 'min', 'globally'],
	metrics: ['l2', 'l1', 'wanda', 'activation', 'random'],
} as const satisfies Partial<TechniqueWords>;
const factors = {
	amounts: ['rank', 'energy'],
	bare: false,
	clauses: ['in', 'except', 'align'],
	metrics: [],
	aliases: [],
} as const satisfies Partial<TechniqueWords>;

export const vocabulary: Vocabulary = {
	techniques: [
		{
			...units,
			...{ name: 'prune-heads', verb: 'prune', target: 'heads', aliases: [] },
			...{ summary: 'Remove attention heads.', example: 'prune heads 25%' },
		},
		{
			...units,
			...{ name: 'prune-ffn', verb: 'prune', target: 'ffn', aliases: ['neurons'] },
			...{ summary: 'Remove hidden neurons.', example: 'prune ffn keep 50%' },
		},
		{
			...units,
			clauses: ['in', 'except', 'where', 'by', 'only', 'min'],
			metrics: ['block_influence', 'random'],
			...{ name: 'prune-layers', verb: 'prune', target: 'layers', aliases: ['blocks'] },
			...{ summary: 'Remove whole layers or halves.', example: 'prune layers [10, 11]' },
		},
		{
			...factors,
			...{ name: 'factorize-ffn', verb: 'factorize', target: 'ffn' },
			...{ summary: 'Two thinner matrices for one.', example: 'factorize ffn rank 64' },
		},
		{
			...factors,
			...{ name: 'factorize-attention', verb: 'factorize', target: 'attention' },
			...{ summary: 'Two thinner matrices for one.', example: 'factorize attention energy 95%' },
		},
	],
	metrics: [
		{ name: 'l1', summary: 'Sum of absolute weights.', needs: 'nothing' },
		{ name: 'l2', summary: 'Root of the sum of squared weights.', needs: 'nothing' },
		{ name: 'random', summary: 'A seeded draw.', needs: 'nothing' },
		{ name: 'wanda', summary: 'Weights times activations.', needs: 'calibration' },
		{ name: 'activation', summary: 'Size of the activations.', needs: 'calibration' },
		{ name: 'block_influence', summary: 'How far a layer moves the stream.', needs: 'calibration' },
	],
};
