/** The words of the language that are no grammar: techniques, the metrics that rank units, and those that judge results. */
import { type Vocabulary } from './ir/recipe/vocabulary.ts';
import { metrics, techniques } from './passes/table.ts';
import { metrics as measures } from './quality/metrics.ts';

export const vocabulary: Vocabulary = {
	techniques: techniques.map(({ words }) => words),
	metrics,
	measures,
};

/** Whether who writes a statement of a technique has been told that the result may be slower. */
export function isSlower(name: string): boolean {
	return techniques.some(({ words }) => words.name === name && words.isSlower === true);
}
