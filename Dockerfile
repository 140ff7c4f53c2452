# The serving image: everything that answers and watches, nothing that trains.
#
#   docker build -t veleta .
#   docker run --read-only --tmpfs /tmp -p 8000:8000 -v "$PWD/models:/models:ro" -v veleta-state:/state veleta
# Not the slim one, which has no C compiler.
FROM python:3.13 AS build
WORKDIR /source
RUN python -m venv /opt/veleta
COPY pyproject.toml constraints.txt README.md ./
COPY app app
COPY models/*.py models/
COPY monitoring monitoring
COPY training training
COPY veleta veleta
RUN /opt/veleta/bin/pip install --no-cache-dir --constraint constraints.txt '.[postgresql]'

FROM python:3.13-slim
RUN useradd --system --uid 10001 --no-create-home veleta \
    && install --directory --owner=veleta /models /state
COPY --from=build /opt/veleta /opt/veleta
ENV PATH=/opt/veleta/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    VELETA_HOST=0.0.0.0 \
    VELETA_STORE=/models \
    VELETA_STATE=/state
USER 10001
VOLUME ["/models", "/state"]
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz', timeout=2)"]
CMD ["veleta", "serve"]
