package io.asyncbatch.flink.limit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class SharedBackendsTest {

    private final SharedBackends backends = new SharedBackends();

    @Test
    void thereIsOneOfEachName() {
        SharedBackends.Lease one = acquire("gpu", 4);
        SharedBackends.Lease same = acquire("gpu", 4);
        SharedBackends.Lease other = acquire("api", 8);
        assertThat(one.backend().control())
                .isSameAs(same.backend().control())
                .isNotSameAs(other.backend().control());
        assertThat(backends.size()).isEqualTo(2);
    }

    @Test
    void itGoesWithItsLastUser() {
        SharedBackends.Lease one = acquire("gpu", 4);
        SharedBackends.Lease same = acquire("gpu", 4);
        BackendControl control = one.backend().control();
        one.close();
        one.close();
        assertThat(acquire("gpu", 4).backend().control()).isSameAs(control);
        same.close();
        assertThat(backends.size()).isEqualTo(1);
    }

    @Test
    void aNewOneIsMadeAfterTheLastUserLeft() {
        SharedBackends.Lease one = acquire("gpu", 4);
        BackendControl control = one.backend().control();
        one.close();
        assertThat(backends.size()).isZero();
        assertThat(acquire("gpu", 9).backend().control()).isNotSameAs(control);
    }

    @Test
    void usersThatDisagreeAreToldSo() {
        acquire("gpu", 4);
        assertThatThrownBy(() -> acquire("gpu", 5))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage(
                        "backend 'gpu' is used with settings that differ: 4 by others, 5 here;"
                                + " give them the same, or another name");
    }

    private SharedBackends.Lease acquire(String name, int limit) {
        return backends.acquire(
                name,
                limit,
                () -> new Backend(new BackendControl(new FixedLimit(limit), null, null), null, 0));
    }
}
