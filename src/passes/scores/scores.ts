/** How important a unit is; larger means keep. One entry a metric. */
import { Fault, present } from '../../diagnostic.ts';
import { drawAt } from '../../ir/graph/random.ts';
import { type MetricWords } from '../../ir/recipe/vocabulary.ts';
import { needsData } from '../../messages/plan.ts';
import { type ScoreContext } from './score-context.ts';
import {
	activationScores,
	entropyScores,
	fluctuationScores,
	similarityScores,
	surgeon,
	wandaScores,
} from './score-data.ts';
import { ablationScores, sensitivityScores } from './score-effects.ts';
import { medianScores, sumByUnit } from './score-weights.ts';
import { type UnitGroup } from '../units/units.ts';

/** Scores of a group's units, by unit. */
export type Metric = MetricWords & {
	readonly score: (group: UnitGroup, context: ScoreContext) => Promise<Float64Array>;
};

const ready = (scores: Float64Array): Promise<Float64Array> => Promise.resolve(scores);

export const metrics: readonly Metric[] = [
	{
		name: 'l2',
		needs: 'nothing',
		summary: 'Euclidean norm of all weights of the unit (arXiv:1608.08710).',
		score: (group) => ready(sumByUnit(group, 2).map(Math.sqrt)),
	},
	{
		name: 'l1',
		needs: 'nothing',
		summary: 'Sum of the absolute weights of the unit (arXiv:1608.08710).',
		score: (group) => ready(sumByUnit(group, 1)),
	},
	{
		name: 'median',
		needs: 'nothing',
		summary:
			"Distance of the unit's weights to the geometric median of its group's (FPGM, arXiv:1811.00250).",
		score: ({ family }) => ready(medianScores(family)),
	},
	{
		name: 'random',
		needs: 'nothing',
		summary: 'A seeded draw: the baseline every other metric must beat.',
		score: ({ family }, { seed }) =>
			ready(new Float64Array(family.units).map((_, unit) => drawAt(seed, family.seed.node.node.id, unit))),
	},
	{
		name: 'obs',
		needs: 'calibration',
		summary:
			'Error left in what reads the unit once all others are refitted: structured optimal brain surgeon (arXiv:2403.12983).',
		score: surgeon,
	},
	{
		name: 'wanda',
		needs: 'calibration',
		summary: 'Absolute reading weights times the norm of what they read (arXiv:2306.11695).',
		score: wandaScores,
	},
	{
		name: 'activation',
		needs: 'calibration',
		summary: 'Root mean square of what the unit puts out.',
		score: activationScores,
	},
	{
		name: 'fluctuation',
		needs: 'calibration',
		summary: 'Squared reading weights times the variance of what they read (FLAP, arXiv:2312.11983).',
		score: fluctuationScores,
	},
	{
		name: 'similarity',
		needs: 'calibration',
		summary:
			'One minus the largest likeness to another unit: squared correlation of what both put out, of heads the RV coefficient. Tokens: one less the mean cosine to all tokens, inside the model.',
		score: similarityScores,
	},
	{
		name: 'entropy',
		needs: 'calibration',
		summary: 'Entropy in bits of what the unit puts out, in 32 bins (arXiv:1706.05791).',
		score: entropyScores,
	},
	{
		name: 'ablation',
		needs: 'calibration',
		summary:
			'Change of the outputs when the unit alone is left out, measured: squared, over their size, on up to 16 inputs. Layers: when the layer is.',
		score: ablationScores,
	},
	{
		name: 'sensitivity',
		needs: 'calibration',
		summary:
			'Error that the unit leaves in its readers once they are refitted, times what an error there was measured to do to the outputs: layers compare.',
		score: sensitivityScores,
	},
	{
		name: 'block_influence',
		needs: 'calibration',
		summary:
			'One minus the cosine between what goes into a layer and what comes out (ShortGPT, arXiv:2403.03853).',
		score: () => Promise.reject(new Fault(needsData({ metric: 'block_influence' }))),
	},
	{
		name: 'angular',
		needs: 'calibration',
		summary:
			'Angle between what goes into a layer and what comes out, at the last position, over π (arXiv:2403.17887).',
		score: () => Promise.reject(new Fault(needsData({ metric: 'angular' }))),
	},
];

export function metricNamed(name: string): Metric {
	return present(
		metrics.find((metric) => metric.name === name),
		`metric '${name}'`,
	);
}
