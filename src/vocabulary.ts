/** The words of the language that are no grammar: techniques, the metrics that rank units, and those that judge results. */
import { type Vocabulary } from './ir/recipe/vocabulary.ts';
import { metrics, techniques } from './passes/table.ts';
import { metrics as measures } from './quality/metrics.ts';

export const vocabulary: Vocabulary = {
	techniques: techniques.map(({ words }) => words),
	metrics,
	measures,
};
